//! The command line.

use std::process::ExitCode;

/// Small objects by the hundred thousand are what it is good at.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    isobar::cli::main()
}
