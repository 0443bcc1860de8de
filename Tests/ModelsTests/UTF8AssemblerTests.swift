import Models
import Testing

@Suite struct UTF8AssemblerTests {
    @Test func unfinishedCharacterWaits() {
        var assembler = UTF8Assembler()
        #expect(assembler.append([0x61, 0xF0]) == "a")
        #expect(assembler.append([0x9F, 0x98]) == "")
        #expect(assembler.append([0x80, 0xC3]) == "😀")
        #expect(assembler.finish() == "\u{FFFD}")
        #expect(assembler.finish() == "")
    }

    @Test(
        arguments: [
            [0xFF], [0x80], [0xC0, 0xAF], [0xE0, 0x80], [0xE0, 0x9F, 0xBF], [0xED, 0xA0, 0x80],
            [0xF0, 0x80, 0x80, 0x80],
            [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80], [0xF0, 0x90, 0x41], [0xE2, 0x82], [0xF0, 0x9F, 0x98], [0xC2],
        ] as [[UInt8]])
    func illFormedBytesAreReplacedAtOnceOrAtTheEnd(bytes: [UInt8]) {
        var assembler = UTF8Assembler()
        var text = ""
        for byte in bytes { text += assembler.append([byte]) }
        text += assembler.finish()
        #expect(text.unicodeScalars.elementsEqual(String(decoding: bytes, as: UTF8.self).unicodeScalars))
    }

    @Test func illFormedBytesAreNotHeldBack() {
        var assembler = UTF8Assembler()
        #expect(assembler.append([0xED]) == "")
        // No surrogate: nothing can complete this.
        #expect(assembler.append([0xA0]) == "\u{FFFD}\u{FFFD}")
        #expect(assembler.append([0xC1]) == "\u{FFFD}")
    }

    @Test(arguments: 0..<200)
    func piecesJoinToTheWhole(seed: Int) {
        var random = TestRandom(seed: UInt64(seed))
        var bytes = Array(random.text(countMax: 40).utf8)
        if seed.isMultiple(of: 2) {
            for _ in 0..<5 where !bytes.isEmpty {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
        }
        var assembler = UTF8Assembler()
        var text = ""
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = Int.random(in: 0...min(3, rest.count), using: &random)
            text += assembler.append(rest.prefix(count))
            rest = rest.dropFirst(count)
        }
        text += assembler.finish()
        #expect(text.unicodeScalars.elementsEqual(String(decoding: bytes, as: UTF8.self).unicodeScalars))
    }
}
