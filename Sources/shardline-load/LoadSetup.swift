import LoadTest
import OpenAIClient
import Telemetry

/// What is asked of the server and the machine before a run.
struct LoadSetup {
    let client: OpenAIClient

    /// Why a run cannot be.
    private struct Failure: Error, CustomStringConvertible { var description: String }

    /// `plan` with the model's name, the connections there may be, and how the server counts words.
    func complete(_ plan: LoadPlan, isModelGiven: Bool) async throws -> LoadPlan {
        var plan = try bound(plan)
        let models = try await models(isModelGiven: isModelGiven)
        if !isModelGiven {
            guard let first = models.first else { throw Failure(description: "\(client.server) serves no model") }
            plan.model = first.id
        }
        if plan.hasWordPrompts { plan.calibration = await calibration(plan) }
        if let length = models.first(where: { $0.id == plan.model })?.contextLength {
            let count = plan.oversizedCount(contextLength: length)
            if count > 0 {
                warn(
                    "\(count) requests are longer than the \(length) tokens of '\(plan.model)' and will be refused; "
                        + "shorten them (--input-len-max and --output-len-max cut a trace's)")
            }
        }
        return plan
    }

    /// Connections need file descriptors.
    private func bound(_ plan: LoadPlan) throws -> LoadPlan {
        var plan = plan
        let limit = DescriptorLimit.raised()
        var refusal: String?
        if let count = plan.staticBatchSize {
            refusal = limit.refusal(connectionCount: count, flag: "--static-batch")
        } else if let count = plan.concurrencyMax {
            refusal = limit.refusal(connectionCount: count, flag: "--max-concurrency")
        } else if plan.isOpenLoop {
            // The report tells when it is reached.
            plan.concurrencyMax = limit.availableConnectionCount
        } else if let count = plan.requestCountMax {
            refusal = limit.refusal(connectionCount: count, flag: "--num-prompts, or give --max-concurrency: it")
        }
        if let refusal { throw Failure(description: refusal) }
        return plan
    }

    /// Asked even for a model that is given: a server that is not there shows before the run.
    private func models(isModelGiven: Bool) async throws -> [ModelEntry] {
        do {
            return try await client.models()
        } catch let error as OpenAIError where isModelGiven {
            switch error.kind {
            case .unreachable, .timeout: throw error
            default: return []
            }
        }
    }

    private func calibration(_ plan: LoadPlan) async -> PromptCalibration {
        var cause = "it does not count tokens"
        do {
            if let measured = try await PromptCalibration.measured(by: client, plan: plan) { return measured }
        } catch {
            cause = "\(error)"
        }
        warn("how the server counts words cannot be measured, so one token a word is assumed: \(cause)")
        return .oneTokenPerWord
    }

    private func warn(_ message: String) { StandardError.write("Warning: \(message)\n") }
}
