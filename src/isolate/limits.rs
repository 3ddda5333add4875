//! Limits of the program's process itself: `--ulimit` and `--oom-score-adj`.
//!
//! pid 1 lives under the caller's limits: those of the program could end it, or
//! keep it from starting the program.

use crate::config::Config;
use crate::kernel::{self, CURRENT};
use crate::report::Report;
use crate::steps::Step;
use crate::text::{Text, push_limit};

/// pid 1, while it has the capability for it: raises hard limits as far as they
/// will have to be, so that the program's process can set its limits without any.
/// A hard limit by itself limits nothing, so pid 1 does not mind. Tells all of
/// it: the program's process may not be able to any more.
pub fn make_room(config: &Config, report: &mut Report) {
    each(config, report, true);
}

/// The program's process: sets its limits.
pub fn set(config: &Config, report: &mut Report) {
    each(config, report, false);
}

#[inline(never)]
fn each(config: &Config, report: &mut Report, ahead: bool) {
    for (number, wanted) in config.ulimits.iter().enumerate() {
        let Some(wanted) = *wanted else { continue };
        let mut name = Text::new();
        push_limit(number, &mut name);
        let done = if ahead {
            report.tell(Step::Limit, name.as_c_str());
            raise(number, wanted)
        } else {
            kernel::set_limit(number, wanted)
        };
        if let Err(errno) = done {
            report.fail(Step::Limit, name.as_c_str(), errno);
        }
    }
}

/// Raises a hard limit that is below the one that is wanted.
fn raise(number: usize, [_, wanted]: [u64; 2]) -> kernel::Result<()> {
    let [soft, hard] = kernel::limit(number)?;
    if wanted > hard { kernel::set_limit(number, [soft, wanted]) } else { Ok(()) }
}

/// pid 1, once there is a /proc of its own: how willingly the kernel ends it, and
/// the program, which inherits that, when memory runs out.
pub fn set_oom_score(config: &Config, report: &mut Report) {
    if let Some(score) = config.oom_score_adj {
        let path = c"/proc/self/oom_score_adj";
        let written = kernel::write_file(CURRENT, path, score.to_bytes());
        report.step_on(Step::OomScore, score, written);
    }
}
