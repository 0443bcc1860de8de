import Gateway
import Testing

@Suite struct JSONValueTests {
    @Test func keepsTheOrderOfFields() {
        let value: JSONValue = ["z": 1, "a": [true, nil, "x"], "m": [:]]
        #expect(String(decoding: value.serialized(), as: UTF8.self) == #"{"z":1,"a":[true,null,"x"],"m":{}}"#)
    }

    @Test func escapesWhatMustBeEscaped() throws {
        let text = (0...0x7F).map { String(UnicodeScalar(UInt8($0))) }.joined() + "é\u{2028}\u{1F600}"
        #expect(try JSON(parsing: JSONValue.string(text).serialized()) == .string(text))
        #expect(JSONValue.string("\n\u{1f}").serialized() == Array(#""\n\u001f""#.utf8))
    }

    @Test func writesFloatsThatReadBackTheSame() throws {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<2000 {
            let value = Float(bitPattern: .random(in: 0 ... .max, using: &generator))
            guard value.isFinite else { continue }
            let number = try #require(try JSON(parsing: JSONValue.float(value).serialized()).number)
            #expect(Float(number).bitPattern == value.bitPattern)
        }
    }

    @Test(arguments: [Double.nan, .infinity, -.infinity])
    func writesNoNumbersThatJSONLacks(value: Double) {
        #expect(JSONValue.double(value).serialized() == Array("null".utf8))
        #expect(JSONValue.float(Float(value)).serialized() == Array("null".utf8))
    }
}
