package shim_test

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// rules of the RFCs, and where a test says no to whoever breaks them: by the
// folder, below the root of the repository, and the name of a test there. The
// order is that in which the RFCs and CVE-2024-3596 give them.
var rules = []struct{ rule, folder, test string }{
	// CVE-2024-3596
	{"Message-Authenticator is the first attribute of each reply", "shim/radius", "TestMessageAuthenticatorIsFirst"},
	{"a request without it is dropped in silence and counted", "shim", "TestBadMessageAuthenticatorTouchesNothing"},
	{"Proxy-State without it is dropped, also where it is not required", "shim", "TestObserveTakesWhatCannotBeForged"},
	{"not requiring it is loudly logged", "shim/config", "TestRefusals"},
	{"a wrong, short or second one drops the packet", "shim/radius", "TestMessageAuthenticatorMissingShortOrTwice"},
	{"an answer without it does not count, a valid one behind it does", "shim/upstream", "TestForgedAnswersAreDropped"},
	{"a home server's is never passed on, nor another hop's attributes", "shim/primary", "TestWhatTheHomeServerGets"},
	{"it counts with zero octets in its place, in accounting with a zero authenticator", "shim/radius", "TestAccountingMessageAuthenticatorIsChecked"},
	{"a forged prefix is refused though MD5 is right", "shim/radius", "TestReplyWithRightMD5ButNoMessageAuthenticatorIsRefused"},
	{"one flipped bit fails", "shim/radius", "TestOneFlippedBitFails"},
	// RFC 2865 sections 3 and 5
	{"lengths of packets and attributes", "shim/radius", "TestParseRefusesWrongLengths"},
	{"what lies behind Length is padding", "shim/radius", "TestPaddingIsIgnored"},
	{"unknown clients and codes are dropped in silence", "shim", "TestUnknownClientsAndCodesAreDroppedInSilence"},
	{"the answer leaves from the address that was asked", "shim", "TestAnswerComesFromTheAddressThatWasAsked"},
	{"lengths of User-Password", "shim/radius", "TestPasswordRefusesWrongLengths"},
	{"User-Password with CHAP-Password, none at all, or too long", "shim", "TestRefusedRequests"},
	{"a password too long for the next hop is refused, not cut", "shim/primary", "TestPasswordTooLongIsNoOutage"},
	{"User-Name has one normal form, and no control characters", "shim", "TestUserNamesAreComposedAndElsePassedOnAsTyped"},
	{"both forms of CHAP's challenge", "shim/primary", "TestWhatAHomeServerGetsOfAProof"},
	{"long texts are split", "shim/radius", "TestTextIsSplitBetweenCharacters"},
	{"lengths inside Vendor-Specific", "shim/radius", "TestVendorAttributes"},
	{"no shared secret is refused, a short one warned of", "shim/config", "TestRefusals"},
	// RFC 5080 section 2.2
	{"a copy gets the same bytes for 30 seconds, then it is new", "shim", "TestRetransmissionGetsTheSameBytes"},
	{"a copy of what is at work is dropped", "shim", "TestDuplicateInFlightIsDropped"},
	{"another authenticator replaces the request", "shim", "TestOtherAuthenticatorReplacesTheRequest"},
	{"a held answer does not go out under another request", "shim", "TestHeldAnswerDoesNotGoOutUnderAnotherRequest"},
	{"the cache is bounded", "shim", "TestBoundsOfMemory"},
	{"copies that we send are equal, and further and further apart", "shim/upstream", "TestCopiesAreEqualAndFurtherAndFurtherApart"},
	{"no identifier is used twice at once", "shim/upstream", "TestManyRequestsShareNoIdentifier"},
	{"requests beyond all identifiers wait", "shim/upstream", "TestRequestsBeyondAllIdentifiersWait"},
	// RFC 2865 section 5.24, RFC 5080 section 2.1.1, RFC 6238 section 5.2
	{"State is of one client, user and time", "shim", "TestStateOpensOnlyForItsClientUserAndTime"},
	{"State is of one login", "shim", "TestStateOfAnotherLoginIsRefused"},
	{"an unknown State begins nothing", "shim", "TestRefusedRequests"},
	{"each first leg has a State of its own", "shim", "TestEachFirstLegHasItsOwnState"},
	{"State and Reply-Message by PAM", "cmd/mfabridge", "TestLoginByPAM"},
	{"of parallel requests with one code one is accepted", "shim", "TestParallelRequestsWithOneCode"},
	{"wrong password and wrong code look alike", "shim", "TestRefusalsLookAlike"},
	{"a code of nobody takes as long as a wrong one", "cloud/engine", "TestCodeOfNobodyTakesAsLongAsAWrongOne"},
	{"a wrong code ends the challenge", "shim", "TestWrongCodeEndsTheChallenge"},
	// RFC 2865 section 5.33, RFC 5997, RFC 2866, RFC 6613, RFC 6614
	{"Proxy-States come back in order", "shim", "TestProxyStatesComeBackInOrder"},
	{"through a proxy", "cmd/mfabridge", "TestLoginThroughAProxy"},
	{"keys are hidden anew under the other secret", "shim", "TestKeysOfThePrimaryComeWithTheAccept"},
	{"Status-Server is no work of a user's, and is never relayed", "shim", "TestStatusServer"},
	{"Status-Server without Message-Authenticator is never answered", "shim", "TestStatusServerWithoutMessageAuthenticatorIsNeverAnswered"},
	{"our own Status-Server is new each time, and finds who is back", "shim/upstream", "TestSilentServerIsLeftUntilItAnswersStatusServer"},
	{"accounting is verified before any work", "shim", "TestForgedAccountingIsDropped"},
	{"accounting is answered once it is taken", "shim", "TestAccountingIsAnsweredOnceItIsTaken"},
	{"only a known certificate is served", "shim/radsec", "TestOnlyAKnownCertificateIsServed"},
	{"right, foreign, expired and no certificate", "shim/radsec", "TestRadsecproxyWithRightForeignExpiredAndNoCertificate"},
	{"partial reads, and many packets in one", "shim/radsec", "TestPacketsMayComeInAnyPieces"},
	{"a bad packet ends the connection", "shim/radsec", "TestABadPacketEndsTheConnection"},
	{"connections are bounded", "shim/radsec", "TestConnectionsAreBounded"},
	{"an idle connection ends", "shim", "TestIdleStreamEnds"},
	{"nothing is sent twice on a connection; Status-Server watches it", "shim/upstream", "TestHalfOpenConnectionIsFoundByTheWatchdog"},
	{"no way back from TLS to UDP", "shim/config", "TestServerOverTLS"},
	// RFC 3579
	{"EAP without Message-Authenticator is dropped", "shim", "TestObserveTakesWhatCannotBeForged"},
	{"EAP is joined and split, several packets are refused", "shim/radius", "TestEAPIsJoinedAndSplit"},
	{"malformed EAP is refused", "shim/radius", "TestEAPThatIsRefused"},
	{"Accept has EAP-Success, Reject EAP-Failure, and none the other's", "shim/primary", "TestAnswersThatDoNotFit"},
	{"keys arrive as eapol_test has derived them", "cmd/mfabridge", "TestEAPIsRelayed"},
	{"State of a home server passes unchanged, to that server only", "shim", "TestStateOfAHomeServerPassesUnchangedAndIsPinned"},
}

// TestEachRuleHasItsTest: nobody takes a test away unseen.
func TestEachRuleHasItsTest(t *testing.T) {
	name := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	there := make(map[string]bool)
	read := make(map[string]bool)
	for _, r := range rules {
		if !read[r.folder] {
			read[r.folder] = true
			files, err := filepath.Glob(filepath.Join("..", r.folder, "*_test.go"))
			if err != nil {
				t.Fatal(err)
			}
			for _, file := range files {
				text, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				for _, m := range name.FindAllSubmatch(text, -1) {
					there[r.folder+" "+string(m[1])] = true
				}
			}
		}
		if !there[r.folder+" "+r.test] {
			t.Errorf("%s: there is no %s in %s", r.rule, r.test, r.folder)
		}
	}
}
