use proptest::prelude::*;

use super::*;

/// A file, written block by block.
struct Writer {
    is_big_endian: bool,
    file: Vec<u8>,
}

impl Writer {
    fn new(is_big_endian: bool) -> Self {
        let mut writer = Self { is_big_endian, file: Vec::new() };
        writer.section();
        writer
    }

    fn section(&mut self) {
        let content = self.words(&[0x1a2b_3c4d, 0x0000_0001, u32::MAX, u32::MAX]);
        self.block(SECTION, &content);
    }

    fn words(&self, words: &[u32]) -> Vec<u8> {
        let bytes = |word: &u32| match self.is_big_endian {
            true => word.to_be_bytes(),
            false => word.to_le_bytes(),
        };
        words.iter().flat_map(bytes).collect()
    }

    /// An option, as the words that it takes.
    fn option(&self, kind: u16, value: &[u8]) -> Vec<u8> {
        let [kind, length] = [kind, value.len() as u16].map(|number| match self.is_big_endian {
            true => number.to_be_bytes(),
            false => number.to_le_bytes(),
        });
        let mut option = [&kind[..], &length, value].concat();
        option.resize(option.len().next_multiple_of(4), 0);
        option
    }

    fn block(&mut self, kind: u32, content: &[u8]) {
        let length = content.len().next_multiple_of(4) + 12;
        let head = self.words(&[kind, length as u32]);
        let tail = self.words(&[length as u32]);
        self.file.extend(head);
        self.file.extend(content);
        self.file.resize(self.file.len().next_multiple_of(4), 0);
        self.file.extend(tail);
    }

    fn interface(&mut self, link: u16, snapshot_bytes: u32, options: &[u8]) {
        let link =
            self.words(&[if self.is_big_endian { u32::from(link) << 16 } else { link.into() }]);
        let snapshot_bytes = self.words(&[snapshot_bytes]);
        self.block(INTERFACE, &[&link[..], &snapshot_bytes, options].concat());
    }

    fn packet(&mut self, interface: u32, ticks: u64, bytes: &[u8], wire_bytes: u32) {
        let (high, low) = ((ticks >> 32) as u32, ticks as u32);
        let head = self.words(&[interface, high, low, bytes.len() as u32, wire_bytes]);
        let comment = self.option(1, b"seen");
        let mut data = bytes.to_vec();
        data.resize(data.len().next_multiple_of(4), 0);
        self.block(PACKET, &[head, data, comment].concat());
    }
}

/// A packet as it was read: when, of what link type, its length, and its bytes.
type Read = (Timestamp, u16, u32, Vec<u8>);

fn opened(file: &[u8]) -> Result<PcapNg<Joined<&[u8]>>, String> {
    let (start, rest) = file.split_at(file.len().min(24));
    PcapNg::open(start.to_vec(), rest)
}

/// All packets, and what is wrong with the rest.
fn read(file: &mut PcapNg<Joined<&[u8]>>) -> (Vec<Read>, Option<String>) {
    let mut packets = Vec::new();
    loop {
        match file.next_packet() {
            Ok(Some(packet)) => {
                packets.push((packet.at, packet.link, packet.wire_bytes, packet.bytes.to_vec()));
            }
            Ok(None) => return (packets, None),
            Err(trouble) => return (packets, Some(trouble)),
        }
    }
}

#[test]
fn interfaces_differ_in_link_type_snapshot_length_and_clock() {
    for is_big_endian in [false, true] {
        let mut writer = Writer::new(is_big_endian);
        let nanoseconds = writer.option(RESOLUTION, &[9]);
        let offset = match is_big_endian {
            true => 1000_i64.to_be_bytes(),
            false => 1000_i64.to_le_bytes(),
        };
        let offset = [writer.option(RESOLUTION, &[0x8a]), writer.option(CLOCK_OFFSET, &offset)];
        writer.interface(1, 262_144, &[]);
        writer.interface(101, 8192, &nanoseconds);
        writer.block(4, &[0; 40]);
        writer.interface(276, 0, &offset.concat());
        writer.packet(0, 5_000_007, b"first", 60);
        writer.packet(1, 5_000_000_008, b"second packet", 13);
        writer.packet(2, 5 * 1024 + 512, b"", 9);
        let mut file = opened(&writer.file).unwrap();
        let (packets, trouble) = read(&mut file);
        assert_eq!(trouble, None);
        assert_eq!(
            packets,
            [
                (Timestamp::from_parts(5, 7000), 1, 60, b"first".to_vec()),
                (Timestamp::from_parts(5, 8), 101, 13, b"second packet".to_vec()),
                (Timestamp::from_parts(1005, 500_000_000), 276, 9, Vec::new()),
            ]
        );
        assert_eq!(file.dropped(), None);
    }
}

#[test]
fn sections_begin_anew_and_may_be_in_another_byte_order() {
    let mut first = Writer::new(false);
    first.interface(1, 0, &[]);
    first.packet(0, 1, b"a", 1);
    let mut second = Writer::new(true);
    second.interface(101, 0, &[]);
    second.packet(0, 2, b"b", 1);
    let joined = [first.file, second.file].concat();
    let (packets, trouble) = read(&mut opened(&joined).unwrap());
    assert_eq!(trouble, None);
    assert_eq!(packets.iter().map(|packet| packet.1).collect::<Vec<_>>(), [1, 101]);
}

#[test]
fn what_the_capture_has_dropped_is_what_each_interface_said_last() {
    let mut writer = Writer::new(false);
    for _ in 0..2 {
        writer.interface(1, 0, &[]);
        writer.packet(0, 1_000_000, b"a", 1);
        for dropped in [3_u64, 10] {
            let ticks = writer.words(&[0, 0, 2_000_000]);
            let by_interface = writer.option(DROPPED_BY_INTERFACE, &dropped.to_le_bytes());
            let by_system = writer.option(DROPPED_BY_SYSTEM, &1_u64.to_le_bytes());
            writer.block(STATISTICS, &[ticks, by_interface, by_system].concat());
        }
        writer.section();
    }
    let mut file = opened(&writer.file).unwrap();
    assert_eq!(read(&mut file).1, None);
    let (from, until) = (Timestamp::from_secs(1), Timestamp::from_secs(2));
    assert_eq!(file.dropped(), Some(Dropped { count: 22, from, until }));
}

#[test]
fn packets_of_the_two_older_kinds_are_read() {
    let mut writer = Writer::new(false);
    writer.interface(1, 6, &[]);
    let head = writer.words(&[0, 0, 3_000_000, 4, 70]);
    writer.block(OLD_PACKET, &[&head[..], b"once"].concat());
    let length = writer.words(&[100]);
    writer.block(SIMPLE_PACKET, &[&length[..], b"simple\0\0"].concat());
    let (packets, trouble) = read(&mut opened(&writer.file).unwrap());
    assert_eq!(trouble, None);
    let at = Timestamp::from_secs(3);
    assert_eq!(packets, [(at, 1, 70, b"once".to_vec()), (at, 1, 100, b"simple".to_vec())]);
}

#[test]
fn what_is_wrong_is_said() {
    let mut writer = Writer::new(false);
    writer.interface(1, 0, &[]);
    let whole = writer.file.clone();
    writer.packet(7, 0, b"abcd", 4);
    let error = read(&mut opened(&writer.file).unwrap()).1.unwrap();
    assert!(error.contains("interface 7"), "{error}");
    for (number, expected) in [(13_u32, "claims 13 bytes"), (0, "claims 0 bytes")] {
        let block = [6_u32.to_le_bytes(), number.to_le_bytes()].concat();
        let error = opened(&[&whole[..], &block].concat()).err().unwrap();
        assert!(error.contains(expected), "{error}");
    }
    let mut lying = Writer { is_big_endian: false, file: whole.clone() };
    lying.packet(0, 0, b"abcd", 4);
    lying.file[whole.len() + 20..whole.len() + 24].copy_from_slice(&u32::MAX.to_le_bytes());
    let error = read(&mut opened(&lying.file).unwrap()).1.unwrap();
    assert!(error.contains("claims 4294967295 bytes"), "{error}");
    let mut cut = Writer { is_big_endian: false, file: whole };
    cut.packet(0, 0, b"abcd", 4);
    let error = read(&mut opened(&cut.file[..cut.file.len() - 20]).unwrap()).1.unwrap();
    assert!(error.contains("cut short"), "{error}");
    let error = opened(&[&MAGIC[..], &[0; 20]].concat()).err().unwrap();
    assert!(error.contains("byte order"), "{error}");
}

proptest! {
    #[test]
    fn any_bytes_are_read_to_their_end(
        damage in prop::collection::vec((0..400_usize, any::<u8>()), 0..8),
        sizes in prop::collection::vec(0..40_usize, 0..8),
        is_big_endian in any::<bool>(),
    ) {
        let mut writer = Writer::new(is_big_endian);
        writer.interface(1, 0, &[]);
        for size in &sizes {
            writer.packet(0, 9, &vec![9; *size], *size as u32);
        }
        for (at, value) in damage {
            if let Some(byte) = writer.file.get_mut(at) {
                *byte = value;
            }
        }
        if let Ok(mut file) = opened(&writer.file) {
            let (packets, _) = read(&mut file);
            prop_assert!(packets.len() * 16 <= writer.file.len());
        }
    }
}
