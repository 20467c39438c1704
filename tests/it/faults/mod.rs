//! Faults tried on a running egret, each ending with the count of what was written against what
//! is stored. The table of them is `tests/FAULTS.md`.

mod delivery;
mod disk;
mod logs;
mod proxy;
mod wire;
