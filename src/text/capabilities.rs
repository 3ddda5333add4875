//! The names of the capabilities.

use super::{PackedList, Text, pack_list, place_of_name, without};

/// How many there are.
const COUNT: usize = 41;

/// By number, as in capabilities(7), without their `CAP_`, each up to a NUL.
const NAMES: PackedList = pack_list!(
    "CHOWN\0DAC_OVERRIDE\0DAC_READ_SEARCH\0FOWNER\0FSETID\0KILL\0SETGID\0SETUID\0\
     SETPCAP\0LINUX_IMMUTABLE\0NET_BIND_SERVICE\0NET_BROADCAST\0NET_ADMIN\0NET_RAW\0IPC_LOCK\0\
     IPC_OWNER\0SYS_MODULE\0SYS_RAWIO\0SYS_CHROOT\0SYS_PTRACE\0SYS_PACCT\0SYS_ADMIN\0SYS_BOOT\0\
     SYS_NICE\0SYS_RESOURCE\0SYS_TIME\0SYS_TTY_CONFIG\0MKNOD\0LEASE\0AUDIT_WRITE\0\
     AUDIT_CONTROL\0SETFCAP\0MAC_OVERRIDE\0MAC_ADMIN\0SYSLOG\0WAKE_ALARM\0BLOCK_SUSPEND\0\
     AUDIT_READ\0PERFMON\0BPF\0CHECKPOINT_RESTORE\0"
);

/// The set that a name means: one capability, with or without `CAP_` and in
/// any case of letters, or every one for `ALL`.
pub fn capability(name: &[u8]) -> Option<u64> {
    if place_of_name(pack_list!("ALL\0"), name).is_some() {
        return Some(u64::MAX);
    }
    let bare = without(pack_list!("CAP_\0"), 4, name);
    place_of_name(NAMES, bare).map(|number| 1 << number)
}

/// Adds the names of those in a set; of one that root may have, "all" and those that are not in
/// it, with a minus.
pub fn push_capabilities(set: u64, text: &mut Text) {
    const SYS_ADMIN: u64 = 1 << 21;
    let (mut shown, mut before) = (set, " ");
    if set & SYS_ADMIN != 0 {
        text.push(b"all");
        (shown, before) = (!set, " -");
    }
    for number in 0..COUNT {
        if shown >> number & 1 == 1 {
            text.push(before.as_bytes());
            text.push_part(NAMES, number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_told_by_name() {
        let all = (1 << COUNT) - 1;
        for (set, want) in [
            (0, ""),
            (1 | 1 << 5, " CHOWN KILL"),
            (all, "all"),
            (all & !(1 << 24), "all -SYS_RESOURCE"),
        ] {
            let mut text = Text::new();
            push_capabilities(set, &mut text);
            assert_eq!(text.as_bytes(), want.as_bytes(), "{set:x}");
        }
    }

    #[test]
    fn names_and_numbers() {
        for (name, want) in [
            ("CHOWN", Some(1)),
            ("chown", Some(1)),
            ("CAP_CHOWN", Some(1)),
            ("cap_sys_admin", Some(1 << 21)),
            ("SETFCAP", Some(1 << 31)),
            ("CHECKPOINT_RESTORE", Some(1 << 40)),
            ("all", Some(u64::MAX)),
            ("", None),
            ("CAP_", None),
            ("CAP_ALL", None),
            ("SYS", None),
            ("SYS_ADMINX", None),
        ] {
            assert_eq!(capability(name.as_bytes()), want, "{name}");
        }
    }
}
