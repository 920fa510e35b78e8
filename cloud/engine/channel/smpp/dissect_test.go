package smpp_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"mfabridge/cloud/engine/channel/carrier"
	"mfabridge/cloud/engine/channel/smpp/smpptest"
	"mfabridge/internal/peer"
)

// An independent reader of the protocol says what stands in the octets that we
// send.
func TestDissected(t *testing.T) {
	tshark := peer.Path(t, "tshark", "tshark")
	c := smpptest.Listen(t, nil)
	client := open(t, c, nil)
	long := strings.Repeat("Your code for VPN is 314159. ", 8)
	for _, text := range []string{"Your code for VPN is 314159.", "Ваш код 314159", long} {
		if _, err := client.Send(t.Context(), carrier.Note{Number: "+14255550142", Text: text, Life: message.Life}); err != nil {
			t.Fatal(err)
		}
	}
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	c.Lock()
	file := filepath.Join(t.TempDir(), "smpp.pcap")
	if err := os.WriteFile(file, capture(c.Raw.Bytes()), 0o600); err != nil {
		t.Fatal(err)
	}
	c.Unlock()
	command := exec.Command(tshark, "-r", file, "-d", "tcp.port==2775,smpp", "-o", "gsm_sms.reassemble:FALSE", "-T", "fields", "-E", "separator=|", "-E", "aggregator=;",
		"-e", "smpp.command_id", "-e", "smpp.system_id", "-e", "smpp.interface_version", "-e", "smpp.source_addr", "-e", "smpp.source_addr_ton",
		"-e", "smpp.destination_addr", "-e", "smpp.dest_addr_ton", "-e", "smpp.data_coding", "-e", "smpp.regdel.receipt",
		"-e", "gsm_sms.udh.mm.msg_parts", "-e", "gsm_sms.udh.mm.msg_part", "-e", "smpp.sm_length", "-e", "_ws.expert.message")
	out, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	got := strings.TrimSpace(string(out))
	want := strings.Join([]string{
		"0x00000009;0x00000004;0x00000004;0x00000004;0x00000004;0x00000006", // bind, four texts, goodbye
		"contoso", "52", "Contoso;Contoso;Contoso;Contoso", "0x05;0x05;0x05;0x05",
		"14255550142;14255550142;14255550142;14255550142", "0x01;0x01;0x01;0x01",
		"0x00;0x08;0x00;0x00", "0x01;0x01;0x01;0x01", "2;2", "1;2", "28;28;159;85", "",
	}, "|")
	if got != want {
		t.Errorf("tshark reads\n%s\nnot\n%s", got, want)
	}
}

// capture is a file (pcap) with one TCP segment to the customary port 2775.
func capture(payload []byte) []byte {
	var b bytes.Buffer
	put := func(values ...any) {
		for _, v := range values {
			_ = binary.Write(&b, binary.BigEndian, v) // a buffer takes everything
		}
	}
	ip := 20 + 20 + len(payload)
	put(uint32(0xa1b2c3d4), uint16(2), uint16(4), uint32(0), uint32(0), uint32(65535), uint32(101)) // raw IP
	put(uint32(0), uint32(0), uint32(ip), uint32(ip))
	put(uint16(0x4500), uint16(ip), uint32(0), uint16(0x4006), uint16(0), uint32(0x7f000001), uint32(0x7f000001))
	put(uint16(40000), uint16(2775), uint32(1), uint32(1), uint16(0x5018), uint16(65535), uint32(0))
	b.Write(payload)
	return b.Bytes()
}
