//! An egret that was built without Kafka. Its configuration is refused before anything comes here.

use crate::alert::Alert;
use crate::heartbeat::Beat;
use crate::link::Failure;

use super::KafkaConfig;

/// No way to Kafka: only what was configured, for a build that has one.
pub(crate) struct KafkaLink(#[expect(dead_code, reason = "nothing reads it here")] KafkaConfig);

impl KafkaLink {
    pub(crate) fn new(config: KafkaConfig) -> Self {
        Self(config)
    }

    pub(crate) async fn send(&mut self, _alert: &Alert) -> Result<(), Failure> {
        Err(absent())
    }

    pub(crate) async fn beat(&mut self, _beat: &Beat) -> Result<(), Failure> {
        Err(absent())
    }
}

fn absent() -> Failure {
    Failure::Unreachable("this egret was built without Kafka".to_owned())
}
