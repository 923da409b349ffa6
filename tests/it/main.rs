//! Stories through the front door.

mod portal;
