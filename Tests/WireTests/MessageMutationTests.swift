import Memory
import Testing
import Wire
import WireSamples

/// Whatever the bytes, decoding ends with a value or a `WireError`, never with a trap.
@Suite struct MessageMutationTests {
    private func decodeAsEverything(_ control: [UInt8], stamp: FrameStamp, bulk: BufferSlice?) {
        for type in MessageCatalog.all { expectValueOrError(type, control, stamp, bulk) }
    }

    private func expectValueOrError(
        _ type: any WireValue.Type, _ control: [UInt8], _ stamp: FrameStamp, _ bulk: BufferSlice?
    ) {
        do {
            let value = try type.decode(control, stamp: stamp, bulk: bulk)
            // What was accepted can be sent again.
            _ = try value.encodeControl()
        } catch {
            #expect(error is WireError)
        }
    }

    @Test func truncatedMessages() throws {
        var random = RandomSource(seed: 20)
        for message in random.everyMessage() {
            let control = try message.encodeControl()
            for count in 0..<min(control.count, 2000) {
                expectValueOrError(type(of: message), Array(control[..<count]), message.stamp, nil)
            }
        }
    }

    @Test func mutatedMessages() throws {
        var random = RandomSource(seed: 21)
        for _ in 0..<200 {
            for message in random.everyMessage() {
                let control = try message.encodeControl()
                for _ in 0..<10 {
                    let mutated = random.mutate(control)
                    expectValueOrError(type(of: message), mutated, message.stamp, nil)
                }
            }
        }
    }

    @Test func bytesOfOtherMessagesAndNoise() throws {
        var random = RandomSource(seed: 22)
        let bulk = try slice(random.bytes(64...64))
        for _ in 0..<30 {
            for message in random.everyMessage() {
                decodeAsEverything(try message.encodeControl(), stamp: message.stamp, bulk: random.bool() ? bulk : nil)
            }
            for _ in 0..<50 { decodeAsEverything(random.bytes(0...100), stamp: random.stamp(), bulk: nil) }
        }
    }
}

extension RandomSource {
    mutating func mutate(_ bytes: [UInt8]) -> [UInt8] {
        var bytes = bytes
        for _ in 0..<int(1...4) {
            guard !bytes.isEmpty else { return self.bytes(0...20) }
            let index = int(0...(bytes.count - 1))
            switch int(0...5) {
            case 0: bytes[index] ^= 1 << UInt8(int(0...7))
            case 1: bytes[index] = [0, 1, 0x7F, 0x80, 0xFF][int(0...4)]
            case 2: bytes.insert(UInt8(truncatingIfNeeded: next()), at: index)
            case 3: bytes.remove(at: index)
            case 4: bytes.removeSubrange(index...)
            default: bytes.insert(contentsOf: bytes[index...].prefix(int(1...30)), at: int(0...index))
            }
        }
        return bytes
    }
}
