//! The freestanding shell around the library: an entry point and nothing else.

#![no_std]
#![no_main]

#[path = "kernel/start.rs"]
mod start;

thimble::entry!(start::start);
