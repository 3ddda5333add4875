//! The command line. Reading it fills a `Config` and touches nothing else.

pub mod help;
pub mod options;
pub mod parser;
pub mod table;

use core::ffi::CStr;

use crate::config::{Config, Resource, Share};
use crate::kernel::Argv;
use crate::text::{Packed, Parts, nearest, pack};
use parser::{Parser, Usage, Wrong};

/// What the caller wants.
#[derive(Clone, Copy)]
pub enum Request {
    /// The container that the configuration describes.
    Run,
    /// The help of `run`.
    RunHelp,
    /// The help of thimble.
    Help,
    /// The version.
    Version,
}

/// The first words that thimble knows, a line each, the preferred ones first.
const COMMANDS: &[u8] = b"run\n--help\n--version\nhelp\n-h\n-V";
/// What they ask for.
const REQUESTS: [Request; 6] =
    [Request::Run, Request::Help, Request::Version, Request::Help, Request::Help, Request::Version];

/// Reads the words of a command line, the program's own name first, into
/// `config`.
pub fn read<'a>(words: Argv<'a>, config: &mut Config<'a>) -> Result<Request, Usage<'a>> {
    let mut parser = Parser::new(words, config);
    command(&mut parser).map_err(|Wrong| parser.usage)
}

#[inline(never)]
fn command(parser: &mut Parser) -> Result<Request, Wrong> {
    parser.words.shift();
    let Some(word) = parser.words.shift() else {
        parser.must(c"command", pack!("is missing, see thimble --help"))?;
        return Err(Wrong);
    };
    let place = Parts::of(COMMANDS, b'\n').position(|known| known == word.to_bytes());
    match place.and_then(|place| REQUESTS.get(place)) {
        Some(Request::Run) => run(parser),
        Some(request) => Ok(*request),
        None => {
            parser.usage.nearest = nearest(word.to_bytes(), COMMANDS, 0);
            parser.unknown(pack!("unknown command"), word)?;
            Err(Wrong)
        }
    }
}

fn run(parser: &mut Parser) -> Result<Request, Wrong> {
    if parser.options(&options::RUN)? {
        return Ok(Request::RunHelp);
    }
    parser.usage.value = c"";
    match parser.words.shift() {
        Some(root) => parser.config.root = root,
        None => parser.must(c"ROOTFS", pack!("is missing, see thimble run --help"))?,
    }
    parser.config.command = parser.words.first().map(|_| parser.words);
    if let Some((option, why)) = contradiction(parser.config) {
        parser.must(option, why)?;
    }
    Ok(Request::Run)
}

/// Options that are good by themselves and cannot both hold.
fn contradiction(config: &Config) -> Option<(&'static CStr, Packed)> {
    if config.uts == Some(Share::Host) && config.hostname.is_some() {
        return Some((c"--hostname", pack!("would change the host's name, given --uts host")));
    }
    let maps = [&config.uid_maps, &config.gid_maps];
    if config.users == Some(Share::Host) && maps.iter().any(|maps| !maps.as_slice().is_empty()) {
        return Some((c"--uidmap", pack!("and --gidmap need --userns private")));
    }
    let memory = config.limit(Resource::Memory);
    let swap = config.limit(Resource::MemorySwap);
    if let (Some(swap), Some(memory)) = (swap, memory)
        && swap.bytes() < memory.bytes()
    {
        return Some((c"--memory-swap", pack!("must not be less than --memory")));
    }
    if swap.is_some() && memory.is_none() {
        return Some((c"--memory-swap", pack!("needs --memory")));
    }
    if config.bare && config.shm_size.is_some() {
        return Some((c"--shm-size", pack!("means nothing with --bare, which mounts no /dev/shm")));
    }
    if config.pid == Some(Share::Host) && !config.wants_cgroup() {
        return Some((
            c"--pid host",
            pack!("needs a cgroup to end what the program leaves running: add --pids-limit -1"),
        ));
    }
    None
}
