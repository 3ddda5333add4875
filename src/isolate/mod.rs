//! What separates the container from the host: a file for each concept of the
//! kernel, with the host's half and the container's half of it side by side.

pub mod accounts;
pub mod cgroup;
pub mod descriptors;
pub mod devices;
pub mod environment;
pub mod ephemeral;
pub mod hierarchy;
pub mod idmap;
pub mod limits;
pub mod link;
pub mod mounts;
pub mod namespaces;
pub mod places;
pub mod privileges;
pub mod program;
pub mod rootfs;
pub mod running;
pub mod seccomp;
pub mod status;
pub mod terminal;
pub mod volumes;
