//! The producer, by librdkafka.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord, Producer};

use crate::alert::Alert;
use crate::heartbeat::Beat;
use crate::link::Failure;
use crate::text::{bounded, visible};
use crate::transcript::note;

use super::KafkaConfig;

/// How long to ask the brokers about the topic, when they did not take a message.
const LOOK_PATIENCE: Duration = Duration::from_secs(3);

/// Messages that librdkafka keeps: they are sent one by one.
const MOST_QUEUED: &str = "100";

/// The way to a topic.
pub(crate) struct KafkaLink {
    config: KafkaConfig,
    /// Made when the first message is sent.
    producer: Option<Arc<FutureProducer>>,
}

/// One message.
struct Message {
    key: String,
    id: Option<String>,
    body: String,
}

impl KafkaLink {
    pub(crate) fn new(config: KafkaConfig) -> Self {
        Self { config, producer: None }
    }

    /// Makes one attempt.
    pub(crate) async fn send(&mut self, alert: &Alert) -> Result<(), Failure> {
        let key = alert.change.incident.id.to_string();
        let body = self.config.format.text(alert);
        self.produce(Message { key, id: Some(alert.alert.to_string()), body }).await
    }

    pub(crate) async fn beat(&mut self, beat: &Beat) -> Result<(), Failure> {
        let body = self.config.format.heartbeat(beat).to_string();
        self.produce(Message { key: "heartbeat".to_owned(), id: None, body }).await
    }

    async fn produce(&mut self, message: Message) -> Result<(), Failure> {
        let Message { key, id, body } = message;
        let producer = self.producer().map_err(|error| unreachable(&error.to_string()))?;
        let topic = &self.config.topic;
        note(|| format!("> {topic}, key {key}: {body}"));
        let json = Header { key: "content-type", value: Some("application/json") };
        let mut headers = OwnedHeaders::new().insert(json);
        if let Some(id) = &id {
            headers = headers.insert(Header { key: "id", value: Some(id) });
        }
        let record = FutureRecord::to(topic).key(&key).payload(&body).headers(headers);
        match producer.send(record, Duration::ZERO).await {
            Ok(delivered) => {
                note(|| {
                    format!("< partition {}, offset {}", delivered.partition, delivered.offset)
                });
                Ok(())
            }
            Err((error, _)) => {
                note(|| format!("< {error}"));
                if producer.client().fatal_error().is_some() {
                    // It will never send anything again (librdkafka, "Idempotent Producer").
                    self.producer = None;
                }
                Err(self.judge(&producer, error).await)
            }
        }
    }

    fn producer(&mut self) -> Result<Arc<FutureProducer>, KafkaError> {
        if let Some(producer) = &self.producer {
            return Ok(Arc::clone(producer));
        }
        let KafkaConfig { brokers, way, password, timeout, .. } = &self.config;
        let mut settings = ClientConfig::new();
        settings
            .set("bootstrap.servers", brokers)
            .set("client.id", "egret")
            .set("acks", "all")
            .set("enable.idempotence", "true")
            .set("message.timeout.ms", timeout.as_millis().to_string())
            .set("socket.connection.setup.timeout.ms", timeout.as_millis().max(1000).to_string())
            .set("queue.buffering.max.messages", MOST_QUEUED)
            .set("queue.buffering.max.ms", "0")
            // What goes wrong is told by each message.
            .set_log_level(RDKafkaLogLevel::Critical);
        for (property, value) in way {
            settings.set(*property, value);
        }
        if let Some(password) = password {
            settings.set("sasl.password", password.reveal());
        }
        let producer = Arc::new(settings.create::<FutureProducer>()?);
        self.producer = Some(Arc::clone(&producer));
        Ok(producer)
    }

    /// What an error means for the alert. That no broker took it in time may have many reasons: they are asked.
    async fn judge(&self, producer: &Arc<FutureProducer>, error: KafkaError) -> Failure {
        use RDKafkaErrorCode as Code;
        let text = error.to_string();
        match error.rdkafka_error_code() {
            Some(Code::MessageSizeTooLarge | Code::InvalidMessageSize | Code::InvalidRecord) => {
                Failure::Rejected(safe(&text))
            }
            Some(
                Code::TopicAuthorizationFailed | Code::UnknownTopic | Code::UnknownTopicOrPartition,
            ) => Failure::Refused { error: safe(&text), retry_after: None },
            Some(Code::MessageTimedOut) => {
                let (producer, topic) = (Arc::clone(producer), self.config.topic.clone());
                let asked = tokio::task::spawn_blocking(move || why(&producer, &topic));
                unreachable(&asked.await.unwrap_or(text))
            }
            _ => unreachable(&text),
        }
    }
}

/// Why no broker took a message.
fn why(producer: &FutureProducer, topic: &str) -> String {
    match producer.client().fetch_metadata(Some(topic), LOOK_PATIENCE) {
        Err(error) => format!("no broker answers: {error}"),
        Ok(metadata) => {
            let found = metadata.topics().iter().find(|found| found.name() == topic);
            let wrong = found.and_then(|found| found.error());
            match wrong {
                Some(error) => {
                    let error = RDKafkaErrorCode::from(error);
                    format!("the topic {topic:?} cannot be written: {error}")
                }
                None => "the brokers answer, but took nothing in time".to_owned(),
            }
        }
    }
}

fn unreachable(text: &str) -> Failure {
    Failure::Unreachable(safe(text))
}

fn safe(text: &str) -> String {
    bounded(text, 500, visible)
}
