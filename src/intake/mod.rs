//! TEMPORARY
/// x
#[derive(Clone)]
pub struct SealingKey;
impl SealingKey { /// x
 pub fn open(&self, _s: &str) -> Option<String> { None } }
