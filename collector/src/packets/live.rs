//! Live interfaces, through libpcap.
//!
//! Owns the loop between the kernel's ring and the decoder. The caller's thread is used; it is
//! never blocked for longer than [`POLL`], since an idle interface would else hold it for good.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{self, TrySendError};
use std::thread;
use std::time::Duration;

use egret_event::{Gap, GapReason, SmolStr, Timestamp};
use pcap::{Active, Capture, Device, Precision};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::decoder::Decoder;
use super::fanout::Group;
use super::gaps;
use super::link::Link;
use super::opened::{link_name, message_of, time_of};
use super::outlet::Outlet;
use crate::{CollectError, Context, Emit, LiveOptions, Refused, offer};

/// Longest packet that is captured whole: offloading makes frames of up to 64 KiB.
const SNAP_BYTES: i32 = 262_144;

/// How long the kernel gathers packets before it hands them over, in milliseconds. Immediate
/// mode would be quicker, but its ring has one place of the largest size for each packet.
const GATHER_MS: i32 = 10;

/// Longest wait for a packet.
const POLL: Duration = Duration::from_millis(50);

/// Packets between two looks at anything else.
const PACKETS_PER_TURN: u32 = 4096;

/// Turns at the end, for what the kernel still holds: more than a buffer of 64 MiB has room for.
const LAST_TURNS: u32 = 256;

/// Batches on their way from the capturing threads of one interface.
const BATCHES_BETWEEN_THREADS: usize = 64;

/// How far the flows' time stays behind the wall clock while nothing arrives: packets that the
/// kernel still gathers must not come too late.
const TICK_LAG: Duration = Duration::from_millis(50);

/// How often drops are asked for and the account is settled.
const SETTLE_EVERY: Duration = Duration::from_secs(1);

/// First and longest pause before an interface that failed is opened again.
const FIRST_RETRY: Duration = Duration::from_millis(100);
const LAST_RETRY: Duration = Duration::from_secs(5);

/// Captures until told to stop. An interface that goes away is opened again when it is back.
pub(crate) fn run_live(
    name: &SmolStr,
    options: &LiveOptions,
    context: &Context,
    emit: &mut Emit<'_>,
) -> Result<(), CollectError> {
    let mut shares = open_all(name, options, context)?;
    match (shares.len(), shares.pop()) {
        (1, Some(share)) => share.capture_until_told(name, options, context, emit),
        (_, last) => run_shares(shares.into_iter().chain(last), name, options, context, emit),
    }
    Ok(())
}

/// One socket on the interface, and what decodes the packets that come from it.
struct Share {
    capture: Capture<Active>,
    decoder: Decoder,
    group: Option<Group>,
}

/// Opens as many sockets as there are threads to be.
fn open_all(
    name: &SmolStr,
    options: &LiveOptions,
    context: &Context,
) -> Result<Vec<Share>, CollectError> {
    let mut shares: Vec<Share> = Vec::with_capacity(options.threads);
    for _ in 0..options.threads.max(1) {
        let capture = open(options)?;
        let link = link_of(name, &capture)?;
        let mut decoder = Decoder::new(name.clone(), link, context.attribution.clone())
            .with_scanner(Arc::clone(&context.scanner));
        let group = match shares.first() {
            None if options.threads <= 1 => None,
            None => Some(Group::of(&capture).map_err(|error| no_fanout(options, &error))?),
            Some(first) => {
                decoder.share_names_with(&first.decoder);
                join(first.group, options, &capture)?;
                first.group
            }
        };
        shares.push(Share { capture, decoder, group });
    }
    Ok(shares)
}

fn join(
    group: Option<Group>,
    options: &LiveOptions,
    capture: &Capture<Active>,
) -> Result<(), CollectError> {
    let Some(group) = group else { return Ok(()) };
    group.add(capture).map_err(|error| no_fanout(options, &error))
}

fn no_fanout(options: &LiveOptions, error: &std::io::Error) -> CollectError {
    CollectError::Interface {
        interface: options.interface.clone(),
        reason: format!("several threads cannot share it: {error} (leave `threads` out)"),
    }
}

/// Runs each share on a thread of its own. Their batches come together on this one.
fn run_shares(
    shares: impl Iterator<Item = Share>,
    name: &SmolStr,
    options: &LiveOptions,
    context: &Context,
    emit: &mut Emit<'_>,
) {
    let (sender, batches) = mpsc::sync_channel(BATCHES_BETWEEN_THREADS);
    thread::scope(|scope| {
        for share in shares {
            let sender = sender.clone();
            scope.spawn(move || {
                let mut emit = |batch| {
                    sender.try_send(batch).map_err(|refused| match refused {
                        TrySendError::Full(batch) => Refused::Full(batch),
                        TrySendError::Disconnected(_) => Refused::Closed,
                    })
                };
                share.capture_until_told(name, options, context, &mut emit);
            });
        }
        drop(sender);
        for batch in &batches {
            // While this waits, the capturing threads find their queue full, and count what they drop.
            if offer(batch, &context.stop, emit).is_err() {
                break;
            }
        }
        // Without a receiver the threads come to their end.
        drop(batches);
    });
}

impl Share {
    fn capture_until_told(
        mut self,
        name: &SmolStr,
        options: &LiveOptions,
        context: &Context,
        emit: &mut Emit<'_>,
    ) {
        let mut live = Live {
            name,
            context,
            decoder: self.decoder,
            outlet: Outlet::new(name, &context.ledger, emit),
            drops: Drops::default(),
            settled_at: (context.now)(),
        };
        while let Err(reason) = live.pump(&mut self.capture) {
            let lost_at = (context.now)();
            tracing::warn!(source = %name, reason, "capture failed; trying to open it again");
            let lost = CollectError::Interface { interface: options.interface.clone(), reason };
            context.trouble.set(Some(lost.to_string()));
            let Some(again) = live.reopen(options, self.group, lost_at) else { break };
            self.capture = again;
            context.trouble.set(None);
            tracing::info!(source = %name, "capturing again");
        }
        live.finish(&mut self.capture);
    }
}

/// Whether the interface can be captured from: opens it and lets go again.
///
/// # Errors
/// Why not, and what helps.
pub fn can_capture(options: &LiveOptions) -> Result<(), CollectError> {
    open(options).map(drop)
}

/// A capture that goes on.
struct Live<'a, 'b> {
    name: &'a SmolStr,
    context: &'a Context,
    decoder: Decoder,
    outlet: Outlet<'a, 'b>,
    drops: Drops,
    settled_at: Timestamp,
}

impl Live<'_, '_> {
    /// Reads until told to stop.
    ///
    /// # Errors
    /// What libpcap says when the interface fails.
    fn pump(&mut self, capture: &mut Capture<Active>) -> Result<(), String> {
        while !self.is_over() {
            let is_drained = self.read_some(capture)?;
            let now = (self.context.now)();
            if is_drained {
                let outlet = &mut self.outlet;
                self.decoder.tick(now - TICK_LAG, &mut |event| outlet.push(event));
                self.outlet.flush_any();
            }
            self.outlet.flush_if_due(now);
            if now.since(self.settled_at) >= SETTLE_EVERY {
                self.settle(capture, now);
            }
            if is_drained {
                wait(capture);
            }
        }
        Ok(())
    }

    fn is_over(&self) -> bool {
        self.context.stop.load(Relaxed) || self.outlet.is_closed()
    }

    /// Whether there is nothing more to read for now.
    fn read_some(&mut self, capture: &mut Capture<Active>) -> Result<bool, String> {
        let outlet = &mut self.outlet;
        for _ in 0..PACKETS_PER_TURN {
            match capture.next_packet() {
                Ok(packet) => self.decoder.packet(
                    time_of(packet.header),
                    packet.header.len,
                    packet.data,
                    &mut |event| outlet.push(event),
                ),
                Err(pcap::Error::TimeoutExpired) => return Ok(true),
                Err(error) => return Err(message_of(&error)),
            }
        }
        Ok(false)
    }

    /// What is done once a second.
    fn settle(&mut self, capture: &mut Capture<Active>, now: Timestamp) {
        self.decoder.settle(&self.context.ledger);
        self.look_for_drops(capture, now);
        // Even without events: others wait for this source's time to come on.
        self.outlet.seen(self.decoder.now());
        self.outlet.flush();
        self.settled_at = now;
    }

    fn look_for_drops(&mut self, capture: &mut Capture<Active>, now: Timestamp) {
        if let Ok(stat) = capture.stats() {
            let dropped = self.drops.since_last(stat.dropped);
            if dropped > 0 {
                self.tell_drops(dropped, now);
            }
        }
    }

    fn tell_drops(&mut self, count: u64, now: Timestamp) {
        let source = self.name.to_string();
        metrics::counter!("egret_capture_kernel_drops_total", "source" => source).increment(count);
        let gap = Gap { reason: GapReason::KernelDrop, count, from: self.settled_at };
        self.tell_gap(gap, now);
    }

    /// Opens the interface again, with growing pauses, and tells that nothing was seen since
    /// `lost_at`: now and then while that lasts. `None`: told to stop meanwhile.
    fn reopen(
        &mut self,
        options: &LiveOptions,
        group: Option<Group>,
        mut lost_at: Timestamp,
    ) -> Option<Capture<Active>> {
        let mut pause = FIRST_RETRY;
        self.outlet.flush();
        while !self.is_over() {
            let opened =
                open(options).and_then(|capture| join(group, options, &capture).map(|()| capture));
            match opened {
                Ok(capture) => {
                    self.drops = Drops::default();
                    self.tell_blind_since(lost_at);
                    return Some(capture);
                }
                Err(error) => tracing::debug!(source = %self.name, %error, "still not open"),
            }
            self.sleep(pause);
            let now = (self.context.now)();
            if now.since(lost_at) >= LAST_RETRY {
                self.tell_blind_since(lost_at);
                self.outlet.flush();
                lost_at = now;
            }
            pause = (pause * 2).min(LAST_RETRY);
        }
        None
    }

    /// Sleeps, but keeps flows' time and the stop flag in view.
    fn sleep(&mut self, pause: Duration) {
        let mut left = pause;
        while !left.is_zero() && !self.is_over() {
            let step = left.min(POLL);
            thread::sleep(step);
            left -= step;
            let outlet = &mut self.outlet;
            self.decoder.tick((self.context.now)() - TICK_LAG, &mut |event| outlet.push(event));
            self.outlet.flush_any();
        }
    }

    /// Tells that nothing was seen since `lost_at`; how much that was, nobody knows.
    fn tell_blind_since(&mut self, lost_at: Timestamp) {
        self.tell_gap(gaps::blind_since(lost_at), (self.context.now)());
    }

    fn tell_gap(&mut self, gap: Gap, now: Timestamp) {
        // Events must not go back in time: what is older than the gap is told before it.
        let outlet = &mut self.outlet;
        self.decoder.tick(now, &mut |event| outlet.push(event));
        self.outlet.push(gaps::event(self.name, gap, self.decoder.now()));
    }

    /// Takes what the kernel still holds, asks for the last drops and reports all that is left.
    fn finish(mut self, capture: &mut Capture<Active>) {
        for _ in 0..LAST_TURNS {
            // Whatever is wrong with the capture, it ends here.
            if self.outlet.is_closed() || self.read_some(capture).unwrap_or(true) {
                break;
            }
        }
        self.look_for_drops(capture, (self.context.now)());
        let outlet = &mut self.outlet;
        self.decoder.finish(&mut |event| outlet.push(event));
        self.decoder.settle(&self.context.ledger);
        self.outlet.flush();
    }
}

/// Waits until a packet is there, but not longer than [`POLL`].
fn wait(capture: &Capture<Active>) {
    let timeout = Timespec { tv_sec: 0, tv_nsec: POLL.as_nanos() as i64 };
    let mut waited = [PollFd::new(capture, PollFlags::IN)];
    let is_broken = match poll(&mut waited, Some(&timeout)) {
        Ok(_) => !(waited[0].revents() & !PollFlags::IN).is_empty(),
        Err(_) => true,
    };
    if is_broken {
        // The next read says what is wrong. If it does not, this must not become a busy loop.
        thread::sleep(POLL);
    }
}

/// The kernel's count of dropped packets, which has 32 bits and wraps.
#[derive(Debug, Default)]
struct Drops {
    last: u32,
}

impl Drops {
    fn since_last(&mut self, count: u32) -> u64 {
        u64::from(count.wrapping_sub(std::mem::replace(&mut self.last, count)))
    }
}

fn open(options: &LiveOptions) -> Result<Capture<Active>, CollectError> {
    let wrong = |error: pcap::Error| CollectError::Interface {
        interface: options.interface.clone(),
        reason: explain(&message_of(&error), &interfaces()),
    };
    let buffer_bytes = i32::try_from(options.buffer_bytes).unwrap_or(i32::MAX);
    // The pseudo-interface "any" cannot be made promiscuous.
    let promiscuous = options.promiscuous && options.interface != "any";
    let mut capture = Capture::from_device(options.interface.as_str())
        .and_then(|capture| {
            capture
                .snaplen(SNAP_BYTES)
                .buffer_size(buffer_bytes)
                .promisc(promiscuous)
                .timeout(GATHER_MS)
                .precision(Precision::Nano)
                .open()
        })
        .and_then(Capture::setnonblock)
        .map_err(wrong)?;
    if !options.filter.is_empty() {
        capture.filter(&options.filter, true).map_err(|error| CollectError::Filter {
            filter: options.filter.clone(),
            reason: message_of(&error),
        })?;
    }
    Ok(capture)
}

fn link_of(name: &SmolStr, capture: &Capture<Active>) -> Result<Link, CollectError> {
    let number = capture.get_datalink();
    Link::from_number(number.0).ok_or_else(|| CollectError::LinkType {
        name: name.to_string(),
        link_type: link_name(number),
    })
}

fn interfaces() -> Vec<String> {
    let devices = Device::list().unwrap_or_default();
    // Bluetooth, USB and netfilter pseudo-devices carry no network.
    let is_network = |device: &Device| !device.addresses.is_empty() || device.flags.is_up();
    devices.into_iter().filter(is_network).map(|device| device.name).collect()
}

/// What keeps an interface from being opened, and what helps.
fn explain(message: &str, interfaces: &[String]) -> String {
    let lower = message.to_lowercase();
    if lower.contains("permission") || lower.contains("not permitted") {
        return "permission denied (needs CAP_NET_RAW: run as root, or \
                `setcap cap_net_raw+ep` the binary)"
            .into();
    }
    if lower.contains("no such device") {
        return match interfaces {
            [] => "no such interface".into(),
            there => format!("no such interface; there are: {}", there.join(", ")),
        };
    }
    if lower.contains("not up") {
        return "it is down (bring it up: `ip link set dev … up`)".into();
    }
    lower
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_libpcap_says_is_turned_into_what_helps() {
        let there = ["lo".to_owned(), "eth0".to_owned()];
        let explained = explain("eth7: No such device exists (SIOCGIFHWADDR: …)", &there);
        assert_eq!(explained, "no such interface; there are: lo, eth0");
        let explained = explain("socket: Operation not permitted", &there);
        assert!(explained.contains("CAP_NET_RAW"), "{explained}");
        assert!(explain("That device is not up", &there).contains("down"));
    }

    #[test]
    fn the_kernels_drop_counter_may_wrap() {
        let mut drops = Drops::default();
        assert_eq!(drops.since_last(u32::MAX - 1), u64::from(u32::MAX) - 1);
        assert_eq!(drops.since_last(3), 5);
        assert_eq!(drops.since_last(3), 0);
    }
}
