//! run
pub fn run(_: &crate::args::RunArguments, _: crate::env::Variables) -> anyhow::Result<()> {
    Ok(())
}
