/// Every message of the protocol, for tests and fuzzing.
package enum MessageCatalog {
    package static let all: [any WireValue.Type] = [
        CertificatesRevoked.self, Empty.self, Enrol.self, Enrolled.self, ForwardStep.self, Hello.self,
        NodeLeaving.self, PrepareStage.self, RegisterReply.self, RegisterRequest.self, ReleaseStage.self,
        RemoteFailure.self, RenewCertificate.self, StageFailed.self, StagePrepared.self, StageProgress.self,
        StepFailed.self, StepFinished.self, TopologyReply.self, TopologyRequest.self, Welcome.self,
    ]
}
