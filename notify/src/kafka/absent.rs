//! An egret that was built without Kafka. Its configuration is refused before anything comes here.

use crate::alert::Alert;
use crate::heartbeat::Beat;
use crate::link::Failure;

use super::KafkaConfig;

/// No way to Kafka.
pub(crate) struct KafkaLink;

impl KafkaLink {
    pub(crate) fn new(config: KafkaConfig) -> Self {
        // What the configuration says is for a build that has it.
        let KafkaConfig { .. } = config;
        Self
    }

    pub(crate) async fn send(&mut self, _alert: &Alert) -> Result<(), Failure> {
        Err(absent())
    }

    pub(crate) async fn beat(&mut self, _beat: Beat) -> Result<(), Failure> {
        Err(absent())
    }
}

fn absent() -> Failure {
    Failure::Unreachable("this egret was built without Kafka".to_owned())
}
