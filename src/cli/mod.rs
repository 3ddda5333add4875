//! The command line. Reading it fills a `Config` and touches nothing else.

pub mod help;
pub mod options;
pub mod parser;
pub mod table;

use core::ffi::CStr;

use crate::config::{Config, Resource, Share};
use crate::text::{Packed, Parts, nearest, pack};
use parser::{Parser, Wrong};
use table::Table;

/// What the caller wants.
#[derive(Clone, Copy)]
pub enum Request {
    /// The container that the configuration describes.
    Run,
    /// A program in the container that runs already.
    Exec,
    /// A command, as pid 1 of a machine.
    Init,
    /// What this kernel and host give.
    Check,
    /// The parser's `texts`, on the standard output.
    Print,
}

/// A command of thimble.
struct Command {
    /// The options that may follow it.
    options: &'static Table,
    /// What must follow them; if nothing must, a ROOTFS may.
    operand: &'static CStr,
    /// What it asks for.
    request: Request,
}

/// The first words that thimble knows, a line each: the commands, then those that ask for
/// a text, the preferred ones first.
const WORDS: &[u8] = b"run\nexec\ninit\ncheck\n--help\n--version\nhelp\n-h\n-V";
/// The commands.
const COMMANDS: [Command; 4] = [
    Command { options: &options::RUN, operand: c"ROOTFS", request: Request::Run },
    Command { options: &options::EXEC, operand: c"PID", request: Request::Exec },
    Command { options: &options::INIT, operand: c"COMMAND", request: Request::Init },
    Command { options: &options::CHECK, operand: c"", request: Request::Check },
];
/// The texts.
static TEXTS: [Packed; 5] =
    [help::GENERAL, help::VERSION, help::GENERAL, help::GENERAL, help::VERSION];

/// Reads the words of a command line, the program's own name first, into the
/// parser's configuration. Otherwise the parser's `usage` says what is wrong.
#[inline(never)]
pub fn read(parser: &mut Parser) -> Result<Request, Wrong> {
    parser.words.shift();
    let Some(word) = parser.words.shift() else {
        parser.must(c"command", Some(pack!("is missing, see thimble --help")))?;
        return Err(Wrong);
    };
    let Some(place) = Parts::of(WORDS, b'\n').position(|known| known == word.to_bytes()) else {
        parser.usage.nearest = nearest(word.to_bytes(), WORDS, 0);
        parser.unknown(c"unknown command", word)?;
        return Err(Wrong);
    };
    match COMMANDS.get(place) {
        Some(command) => read_command(parser, command),
        None => {
            let text = place - COMMANDS.len();
            parser.texts = TEXTS.get(text..=text).unwrap_or(&TEXTS);
            Ok(Request::Print)
        }
    }
}

/// Reads what follows a command.
fn read_command(parser: &mut Parser, command: &Command) -> Result<Request, Wrong> {
    if parser.options(command.options)? {
        parser.texts = command.options.help;
        return Ok(Request::Print);
    }
    parser.usage.value = c"";
    match parser.words.first() {
        Some(_) if matches!(command.request, Request::Init) => {}
        Some(root) => {
            parser.config.root = root;
            parser.words.shift();
        }
        None if command.operand.is_empty() => parser.config.root = c"/",
        None => parser.must(command.operand, Some(pack!("is missing, see --help")))?,
    }
    parser.config.command = parser.words.first().map(|_| parser.words);
    if let Some((option, why)) = contradiction(parser.config) {
        parser.must(option, Some(why))?;
    }
    Ok(command.request)
}

/// Options that are good by themselves and cannot both hold.
fn contradiction(config: &Config) -> Option<(&'static CStr, Packed)> {
    if config.uts == Some(Share::Host) && config.hostname.is_some() {
        return Some((c"--hostname", pack!("would change the host's name, given --uts host")));
    }
    let maps = config.uid_maps.as_slice().len() + config.gid_maps.as_slice().len();
    if config.users == Some(Share::Host) && maps > 0 {
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
    if config.json_status_fd.is_some_and(|number| number < config.first_own_descriptor()) {
        return Some((c"--json-status-fd", pack!("is the program's, given --preserve-fds")));
    }
    if config.detach && config.die_with_parent {
        return Some((c"--die-with-parent", pack!("is the opposite of --detach")));
    }
    if config.bare && config.shm_size.is_some() {
        return Some((c"--shm-size", pack!("means nothing with --bare, which mounts no /dev/shm")));
    }
    if config.tty && config.detach {
        return Some((c"--tty", pack!("needs somebody to sit at it: not with --detach")));
    }
    if config.pid == Some(Share::Host) && config.as_pid_1 {
        return Some((c"--as-pid-1", pack!("needs --pid private")));
    }
    if config.pid == Some(Share::Host) && !config.wants_cgroup() {
        return Some((
            c"--pid host",
            pack!("needs a cgroup to end what the program leaves running: add --pids-limit -1"),
        ));
    }
    None
}
