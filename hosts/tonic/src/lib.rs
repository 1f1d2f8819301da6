//! The types of `proto/greeter.proto`, as `tonic-prost-build` generates them: checked in, so that this
//! host builds without `protoc`.

mod greeter;

pub use self::greeter::*;
