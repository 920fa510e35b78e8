package pskc_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"mfabridge/internal/hint"
	"mfabridge/internal/secret"
	"mfabridge/legacy/pskc"
)

func formatted(k pskc.Key) string { return fmt.Sprintf("%v %+v %#v", k, k, k) }

// refused insists that nothing of a document is yielded.
func refused(t *testing.T, document string, o pskc.Options) error {
	t.Helper()
	keys, err := read(document, o)
	if err == nil {
		t.Fatalf("was read: %d keys", len(keys))
	}
	if len(keys) > 0 {
		t.Errorf("%d keys were yielded before the error", len(keys))
	}
	for _, s := range []string{seed, figure7Phrase, "MTIzNDU2"} {
		if strings.Contains(err.Error()+hint.Of(err), s) {
			t.Errorf("the error quotes a secret: %v", err)
		}
	}
	return err
}

// What does not open has one error and one text, whatever the reason.
func TestWhatDoesNotOpenHasOneText(t *testing.T) {
	six, seven := load(t, "rfc6030-figure6.xml"), load(t, "rfc6030-figure7.xml")
	key := pskc.Options{Key: unhex(t, figure6Key)}
	phrase := pskc.Options{Passphrase: secret.FromString(figure7Phrase)}
	const value = "AAECAwQFBgcICQoLDA0OD+cIHItlB3Wra1DUpxVvOx2lef1VmNPCMl8jwZqIUqGv"
	for name, c := range map[string]struct {
		document string
		o        pskc.Options
	}{
		"wrong key":                 {six, pskc.Options{Key: unhex(t, "22345678901234567890123456789012")}},
		"wrong pass phrase":         {seven, pskc.Options{Passphrase: secret.FromString("qwertz")}},
		"flipped MAC":               {alter(t, six, "Su+NvtQ", "Tu+NvtQ"), key},
		"shortened MAC":             {alter(t, six, "Su+NvtQfmvfJzF6bmQiJqoLRExc=", "Su+NvtQfmvfJzF6bmQg="), key},
		"flipped ciphertext":        {alter(t, six, value, "AAECAwQFBgcICQoLDA0OD+cIHItlB3Wra1DUpxVvOx2lef1VmNPCMl8jwZqIUqGu"), key},
		"flipped initial vector":    {alter(t, six, value, "BAECAwQFBgcICQoLDA0OD+cIHItlB3Wra1DUpxVvOx2lef1VmNPCMl8jwZqIUqGv"), key},
		"value cut to its vector":   {alter(t, six, value, "AAECAwQFBgcICQoLDA0ODw=="), key},
		"flipped MAC key":           {alter(t, six, "ESIzRFVmd4iZABEiM0RVZgKn", "ESIzRFVmd4iZABEiM0RVZgKm"), key},
		"MAC key of another length": {alter(t, six, "ESIzRFVmd4iZABEiM0RVZgKn6WjLaTC1sbeBMSvIhRejN9vJa2BOlSaMrR7I5wSX", "ESIz"), key},
		"other salt":                {alter(t, seven, "Ej7/PEpyEpw=", "Ej7/PEpyEp0="), phrase},
		"other iteration count":     {alter(t, seven, ">1000<", ">1001<"), phrase},
		"other PRF":                 {alter(t, seven, "<PRF/>", `<PRF Algorithm="http://www.w3.org/2001/04/xmldsig-more#hmac-sha256"/>`), phrase},
		"other hash of the MAC":     {alter(t, six, "http://www.w3.org/2000/09/xmldsig#hmac-sha1", "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256"), key},
		"MAC of other bytes":        {alter(t, six, "Su+NvtQfmvfJzF6bmQiJqoLRExc=", "AAAA"), key},
	} {
		t.Run(name, func(t *testing.T) {
			err := refused(t, c.document, c.o)
			if !errors.Is(err, pskc.ErrKey) || err.Error() != pskc.ErrKey.Error() {
				t.Errorf("got %q", err)
			}
		})
	}
}

func TestKeyNeeded(t *testing.T) {
	key, phrase := unhex(t, figure6Key), secret.FromString(figure7Phrase)
	for name, c := range map[string]struct {
		file string
		o    pskc.Options
		want string
	}{
		"no key":                         {"rfc6030-figure6.xml", pskc.Options{}, "the token file is encrypted with a pre-shared key"},
		"a pass phrase instead of it":    {"rfc6030-figure6.xml", pskc.Options{Passphrase: phrase}, "the token file is encrypted with a pre-shared key"},
		"no pass phrase":                 {"rfc6030-figure7.xml", pskc.Options{}, "the token file is encrypted with a pass phrase"},
		"a pre-shared key instead of it": {"rfc6030-figure7.xml", pskc.Options{Key: key}, "the token file is encrypted with a pass phrase"},
	} {
		t.Run(name, func(t *testing.T) {
			err := refused(t, load(t, c.file), c.o)
			if !errors.Is(err, pskc.ErrKeyNeeded) || err.Error() != c.want || hint.Of(err) == "" {
				t.Errorf("got %q, hint %q", err, hint.Of(err))
			}
		})
	}
}

// Files that are refused whole, each with its text.
func TestRefusesFiles(t *testing.T) {
	two, six, seven, totp := load(t, "rfc6030-figure2.xml"), load(t, "rfc6030-figure6.xml"), load(t, "rfc6030-figure7.xml"), load(t, "totp.xml")
	key := pskc.Options{Key: unhex(t, figure6Key), Passphrase: secret.FromString(figure7Phrase)}
	mac := "<ValueMAC>Su+NvtQfmvfJzF6bmQiJqoLRExc=</ValueMAC>"
	first, _, _ := strings.Cut(six, "<MACMethod")
	_, last, _ := strings.Cut(six, "</MACMethod>")
	for name, c := range map[string]struct{ document, want string }{
		"PBKDF2 bomb":            {alter(t, seven, ">1000<", ">2147483647<"), "line 8: the iteration count of PBKDF2 is not from 1 to 5000000"},
		"PBKDF2 beyond integers": {alter(t, seven, ">1000<", ">99999999999999999999<"), "line 8: the iteration count of PBKDF2 is not from 1 to 5000000"},
		"PBKDF2 of no rounds":    {alter(t, seven, ">1000<", ">0<"), "line 8: the iteration count of PBKDF2 is not from 1 to 5000000"},
		"PBKDF2 without salt":    {alter(t, seven, "Ej7/PEpyEpw=", ""), "line 8: PBKDF2 has no salt that can be read"},
		"PBKDF2 for a long key":  {alter(t, seven, ">16<", ">1000000000<"), "line 12: PBKDF2 makes a key of other than 16, 24 or 32 bytes"},
		"key of another length":  {alter(t, seven, ">16<", ">32<"), "line 39: PBKDF2 makes a key of 32 bytes, and the encryption takes one of 16"},
		"unknown PRF":            {alter(t, seven, "<PRF/>", `<PRF Algorithm="urn:example:md5"/>`), `line 8: PBKDF2 uses "urn:example:md5", which is none of HMAC-SHA1, -SHA256, -SHA384 and -SHA512`},
		"unknown derivation":     {alter(t, seven, "pkcs-5v2-0#pbkdf2", "scrypt"), `line 8: the key is derived by "http://www.rsasecurity.com/rsalabs/pkcs/schemas/scrypt", which is not PBKDF2`},
		"unknown encryption":     {alter(t, six, "aes128-cbc", "aes128-ecb"), `line 22: the encryption "http://www.w3.org/2001/04/xmlenc#aes128-ecb" is not known`},
		"unknown MAC":            {alter(t, six, "hmac-sha1", "hmac-md5"), `line 6: the MAC is "http://www.w3.org/2000/09/xmldsig#hmac-md5", which is none of HMAC-SHA1, -SHA256, -SHA384 and -SHA512`},
		"key too short":          {alter(t, six, "aes128-cbc", "aes256-cbc"), "line 22: the key that was given has 16 bytes, and the encryption takes one of 32"},
		"no MAC":                 {alter(t, six, mac, ""), "line 22: a value is encrypted without a MAC (RFC 6030 section 6.1.1 demands one)"},
		"no MAC method":          {first + last, "line 15: a value has a MAC, but the file does not say which"},
		"empty MAC":              {alter(t, six, mac, "<ValueMAC/>"), "line 28: a MAC is not Base64"},
		"MAC key by reference":   {alter(t, six, "<MACKey>", "<MACKeyReference>x</MACKeyReference><MACKey>"), "line 7: the MAC key is one that the file only names, which is not read"},
		"MAC method too late": {alter(t, six, "</KeyContainer>", `<MACMethod Algorithm="http://www.w3.org/2000/09/xmldsig#hmac-sha1"/></KeyContainer>`),
			"line 34: a MACMethod stands where none may be"},
		"second encryption key":            {alter(t, six, "<MACMethod", "<EncryptionKey/><MACMethod"), "line 6: an EncryptionKey stands where none may be"},
		"to a certificate":                 {alter(t, six, "<ds:KeyName>Pre-shared-key</ds:KeyName>", "<ds:X509Data/>"), "line 5: the file is encrypted to a certificate, which is not read"},
		"clear and encrypted":              {alter(t, six, mac, "<PlainValue>MTIzNA==</PlainValue>"), "line 21: Secret stands there in the clear and encrypted"},
		"derived by nothing":               {alter(t, seven, "xenc11:KeyDerivationMethod", "xenc11:KeyDerivation"), "line 6: nothing says how the key is derived"},
		"MAC key in an unknown encryption": {strings.Replace(six, "aes128-cbc", "aes128-gcm", 1), `line 7: the encryption "http://www.w3.org/2001/04/xmlenc#aes128-gcm" is not known`},
		"MAC key for another key":          {strings.Replace(six, "aes128-cbc", "aes192-cbc", 1), "line 7: the key that was given has 16 bytes, and the encryption takes one of 24"},
		"MAC key without ciphertext":       {strings.Replace(strings.Replace(six, "<xenc:CipherData>", "<xenc:Other>", 1), "</xenc:CipherData>", "</xenc:Other>", 1), "line 7: MACKey holds no CipherValue"},
		"two ciphertexts":                  {strings.Replace(six, "</xenc:CipherData>", "</xenc:CipherData><xenc:CipherData/>", 1), "line 11: there is a second CipherData in one MACKey"},
		"two MACs":                         {alter(t, six, mac, mac+mac), "line 28: there is a second ValueMAC in one Secret"},
		"long identifier":                  {alter(t, totp, `"k1"`, `"`+strings.Repeat("k", pskc.MaxField+1)+`"`), "line 11: the identifier of a key has more than 1024 bytes"},
		"draft value twice":                {alter(t, load(t, "draft-values.xml"), `Name="COUNTER"`, `Name="SECRET"`), "line 12: there is a second SECRET in one key"},
		"two secrets":                      {alter(t, totp, "<Time>", "<Secret><PlainValue>MTIzNA==</PlainValue></Secret><Time>"), "line 19: there is a second Secret in one Data"},
		"two serial numbers":               {alter(t, totp, "<Model>", "<SerialNo>2</SerialNo><Model>"), "line 8: there is a second SerialNo in one DeviceInfo"},
		"no ciphertext":                    {alter(t, six, "CipherValue", "CipherNothing"), "line 7: MACKey holds no CipherValue"},
		"ciphertext not Base64":            {alter(t, six, "AAECAwQF", "AAECAw!!"), "line 25: a CipherValue is not Base64"},
		"another root":                     {"<html/>", `line 1: the root element is "html" in the namespace "", which is no PSKC container`},
		"another namespace":                {alter(t, two, "keyprov:pskc\"", "keyprov:pskc2\""), `line 3: the root element is "KeyContainer" in the namespace "urn:ietf:params:xml:ns:keyprov:pskc2", which is no PSKC container`},
		"another version":                  {alter(t, two, `Version="1.0"`, `Version="2.0"`), `line 3: the container has version "2.0", and only version 1 is known`},
		"no version":                       {alter(t, two, `Version="1.0"`, ``), `line 3: the container has version "", and only version 1 is known`},
		"long serial number":               {alter(t, totp, "1000000001", strings.Repeat("1", pskc.MaxField+1)), "line 7: SerialNo has more than 1024 bytes"},
		"long value":                       {alter(t, totp, "MTIzNDU2Nzg5MDEyMzQ1Njc4OTA=", strings.Repeat("MTIz", pskc.MaxValue/4+1)), "line 18: the text of PlainValue has more than 65536 bytes"},
		"many elements":                    {alter(t, totp, "<Model>", strings.Repeat("<x/>", pskc.MaxElements)+"<Model>"), "line 8: there are more than 1000 elements within one part of the file"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := refused(t, c.document, key); err.Error() != c.want {
				t.Errorf("got  %q\nwant %q", err, c.want)
			}
		})
	}
}

// What XML can do to a reader; internal/xmlpull says no, and nothing is yielded.
func TestRefusesHostileXML(t *testing.T) {
	totp := load(t, "totp.xml")
	deep := strings.Repeat("<x>", pskc.MaxDepth) + strings.Repeat("</x>", pskc.MaxDepth)
	doctype := `<!DOCTYPE k [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>`
	for name, document := range map[string]string{
		"entity bomb":       alter(t, totp, "<KeyContainer", doctype+"<KeyContainer"),
		"external DOCTYPE":  alter(t, totp, "<KeyContainer", `<!DOCTYPE k SYSTEM "file:///etc/passwd"><KeyContainer`),
		"unknown entity":    alter(t, totp, "<Issuer>", "<Issuer>&a;"),
		"deep nesting":      alter(t, totp, "<Issuer>", deep+"<Issuer>"),
		"deep in extension": alter(t, totp, "<KeyPackage>", "<Extensions>"+deep+"</Extensions><KeyPackage>"),
		"deep signature":    alter(t, totp, "</KeyContainer>", `<Signature xmlns="http://www.w3.org/2000/09/xmldsig#">`+deep+"</Signature></KeyContainer>"),
		"undeclared prefix": alter(t, totp, "<Issuer>", "<p:x/><Issuer>"),
		"attribute twice":   alter(t, totp, `Id="k1"`, `Id="k1" Id="k2"`),
		"second document":   totp + totp,
		"empty":             "",
		"not XML":           "serial number,secret key\n1,MTIzNDU2\n",
		"NUL byte":          alter(t, totp, "<Issuer>", "<Issuer>\x00"),
		"UTF-16":            "\xff\xfe<\x00K\x00e\x00y\x00",
	} {
		t.Run(name, func(t *testing.T) {
			t.Log(refused(t, document, pskc.Options{}))
		})
	}
}

// However a file is cut off, nothing of it is yielded, not even whole keys.
func TestRefusesTruncatedFiles(t *testing.T) {
	five := load(t, "rfc6030-figure5.xml")
	whole := strings.LastIndex(five, ">") + 1
	for n := range whole {
		refused(t, five[:n], pskc.Options{})
	}
	if _, err := read(five[:whole], pskc.Options{}); err != nil {
		t.Error(err)
	}
}

func TestRefusesTooManyKeys(t *testing.T) {
	totp := load(t, "totp.xml")
	from, to := strings.Index(totp, "<KeyPackage>"), strings.Index(totp, "</KeyContainer>")
	one := `<KeyPackage><Key Id="1"/></KeyPackage>`
	full := totp[:from] + strings.Repeat(one, pskc.MaxKeys)
	if keys := mustRead(t, full+totp[to:], pskc.Options{}); len(keys) != pskc.MaxKeys {
		t.Errorf("%d keys", len(keys))
	}
	if err := refused(t, full+one+totp[to:], pskc.Options{}); !strings.Contains(err.Error(), "more than 100000 keys") {
		t.Error(err)
	}
}

func TestRefusesLargeFiles(t *testing.T) {
	totp := load(t, "totp.xml")
	filler := strings.Repeat("<!--"+strings.Repeat("x", 1000)+"-->\n", pskc.MaxFile/1000)
	err := refused(t, alter(t, totp, "<KeyPackage>", filler+"<KeyPackage>"), pskc.Options{})
	if !strings.Contains(err.Error(), fmt.Sprintf("more than %d bytes", pskc.MaxFile)) {
		t.Error(err)
	}
}

func TestRefusesEncryptionOfDrafts(t *testing.T) {
	values := load(t, "draft-values.xml")
	for name, document := range map[string]string{
		"by pass phrase": alter(t, values, `algorithm="NONE"`, `algorithm="PBE-3DES112-CBC"`),
		"by key":         alter(t, values, `algorithm="NONE"`, `Algorithm="http://www.w3.org/2001/04/xmlenc#aes128-cbc"`),
	} {
		t.Run(name, func(t *testing.T) {
			err := refused(t, document, pskc.Options{Key: unhex(t, figure6Key)})
			if want := "line 11: it is encrypted as a draft before RFC 6030 had it (EncryptionMethod), which is not read"; err.Error() != want || hint.Of(err) == "" {
				t.Errorf("got %q", err)
			}
		})
	}
	// A Value may be anything as soon as the file speaks of encryption at all.
	for element, mark := range map[string]string{"<EncryptionKey/>": "(EncryptionKey)", `<MACMethod Algorithm="x"/>`: "(MACMethod)"} {
		if err := refused(t, alter(t, values, `<DigestMethod algorithm="HMAC-SHA1"/>`, element), pskc.Options{}); !strings.Contains(err.Error(), mark) {
			t.Error(err)
		}
	}
	late := alter(t, values, "</KeyContainer>", `<EncryptionMethod algorithm="PBE-3DES112-CBC"/></KeyContainer>`)
	if err := refused(t, late, pskc.Options{}); err.Error() != "line 15: EncryptionMethod stands after keys that it is about" {
		t.Error(err)
	}
	six := load(t, "rfc6030-figure6.xml")
	first, rest, _ := strings.Cut(six, "<MACMethod")
	_, last, _ := strings.Cut(rest, "</MACMethod>")
	document := first + "<MACAlgorithm>http://www.w3.org/2000/09/xmldsig#hmac-sha1</MACAlgorithm>" + last
	if err := refused(t, document, pskc.Options{Key: unhex(t, figure6Key)}); !strings.Contains(err.Error(), "(MACAlgorithm)") {
		t.Error(err)
	}
}

// Keys that nobody can use as the file says are yielded, with a reason and
// without the secret.
func TestProblemsOfKeys(t *testing.T) {
	totp := load(t, "totp.xml")
	usage := "<KeyUsage>OTP</KeyUsage>"
	for name, c := range map[string]struct{ old, new, want string }{
		"OCRA":                {":totp", ":ocra", `its algorithm "urn:ietf:params:xml:ns:keyprov:pskc:ocra" is neither TOTP nor HOTP`},
		"a vendor's own":      {"urn:ietf:params:xml:ns:keyprov:pskc:totp", "http://vendor.example/#aes", `its algorithm "http://vendor.example/#aes" is neither TOTP nor HOTP`},
		"no algorithm":        {` Algorithm="urn:ietf:params:xml:ns:keyprov:pskc:totp"`, "", "nothing says what algorithm it is for"},
		"unknown suite":       {"HMAC-SHA1", "HMAC-MD5", `its suite "HMAC-MD5" is none of HMAC-SHA1, HMAC-SHA256 and HMAC-SHA512`},
		"half a suite":        {"HMAC-SHA1", "HMAC", `its suite "HMAC" is none of HMAC-SHA1, HMAC-SHA256 and HMAC-SHA512`},
		"hexadecimal codes":   {"DECIMAL", "HEXADECIMAL", `its codes are "HEXADECIMAL", not decimal`},
		"check digits":        {`CheckDigits="false"`, `CheckDigits="true"`, "its codes carry a check digit"},
		"no digits":           {`Length="8"`, `Length="0"`, "the length of its codes is not a number from 1 to 10"},
		"many digits":         {`Length="8"`, `Length="11"`, "the length of its codes is not a number from 1 to 10"},
		"secret not Base64":   {"MTIzNDU2Nzg5MDEyMzQ1Njc4OTA=", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ!", "its secret is not Base64"},
		"secret without end":  {"MTIzNDU2Nzg5MDEyMzQ1Njc4OTA=", "MTIzNDU2Nzg5MDEyMzQ1Njc4OTA", "its secret is not Base64"},
		"empty secret":        {"MTIzNDU2Nzg5MDEyMzQ1Njc4OTA=", "", "the file holds no secret for it"},
		"no secret":           {"<Secret><PlainValue>MTIzNDU2Nzg5MDEyMzQ1Njc4OTA=</PlainValue></Secret>", "", "the file holds no secret for it"},
		"long secret":         {"MTIzNDU2Nzg5MDEyMzQ1Njc4OTA=", strings.Repeat("MTIz", 400), "its secret has more than 1024 bytes"},
		"interval of zero":    {"<PlainValue>30<", "<PlainValue>0<", "its interval is not a number in its range"},
		"interval in words":   {"<PlainValue>30<", "<PlainValue>thirty<", "its interval is not a number in its range"},
		"drift out of range":  {"<PlainValue>-4<", "<PlainValue>-99999999999<", "its drift is not a number in its range"},
		"start not a date":    {"2020-01-01T00:00:00Z", "01/01/2020", "its start date is not a date and time"},
		"expiry not a date":   {"2037-12-31T00:00:00+01:00", "never", "its expiry date is not a date and time"},
		"another use":         {usage, "<KeyUsage>CR</KeyUsage>", "its policy does not allow one-time passwords"},
		"an unknown use":      {usage, usage + "<KeyUsage>Vote</KeyUsage>", `its policy allows the use "Vote", which is not known`},
		"limited number":      {usage, usage + "<NumberOfTransactions>5</NumberOfTransactions>", "its policy limits how often it may be used, which nobody counts"},
		"unknown policy":      {usage, usage + "<Weekdays/>", `its policy holds "Weekdays", which is not known`},
		"a stranger's policy": {usage, usage + `<p:KeyUsage xmlns:p="urn:example:p">OTP</p:KeyUsage>`, `its policy holds "KeyUsage", which is not known`},
		"PIN in the code":     {usage, `<PINPolicy PINUsageMode="Append"/>`, `its codes need a PIN that the token does not check by itself (mode "Append")`},
		"PIN of no mode":      {usage, `<PINPolicy MinLength="4"/>`, `its codes need a PIN that the token does not check by itself (mode "")`},
		"unknown PIN policy":  {usage, `<PINPolicy PINUsageMode="Local" Colour="red"/>`, `its PIN policy holds "Colour", which is not known`},
		"element in its PIN":  {usage, `<PINPolicy PINUsageMode="Local"><x/></PINPolicy>`, `its PIN policy holds "x", which is not known`},
	} {
		t.Run(name, func(t *testing.T) {
			keys := mustRead(t, alter(t, totp, c.old, c.new), pskc.Options{})
			if len(keys) != 1 || keys[0].Problem != c.want {
				t.Fatalf("got %+v", keys)
			}
			if keys[0].Revealed != "" {
				t.Error("the secret was yielded all the same")
			}
			if keys[0].Serial != "1000000001" {
				t.Errorf("nobody can tell which key: %+v", keys[0])
			}
		})
	}
}

func TestPackageWithoutKeyIsNotLost(t *testing.T) {
	totp := load(t, "totp.xml")
	keys := mustRead(t, alter(t, totp, "</DeviceInfo>", "</DeviceInfo></KeyPackage><KeyPackage>"), pskc.Options{})
	if len(keys) != 2 || keys[0].Problem != "its package holds no key" || keys[0].Serial != "1000000001" || keys[1].Serial != "" {
		t.Errorf("got %+v", keys)
	}
}

func TestCounterOfHOTP(t *testing.T) {
	five := load(t, "rfc6030-figure5.xml")
	counter := "<Counter><PlainValue>0<"
	keys := mustRead(t, alter(t, five, counter, "<Counter><PlainValue>123456789012<"), pskc.Options{})
	if keys[0].Counter != 123456789012 || !keys[0].HOTP || keys[0].Problem != "" {
		t.Errorf("got %+v", keys[0])
	}
	for _, bad := range []string{"-1", "1e3", "99999999999999999999"} {
		if keys := mustRead(t, alter(t, five, counter, "<Counter><PlainValue>"+bad+"<"), pskc.Options{}); keys[0].Problem != "its counter is not a number in its range" || keys[0].Revealed != "" {
			t.Errorf("counter %s: %+v", bad, keys[0])
		}
	}
}

// The secret of a key of no use is still opened and verified.
func TestWrongKeyShowsOnKeysOfNoUse(t *testing.T) {
	six := alter(t, load(t, "rfc6030-figure6.xml"), ":hotp", ":ocra")
	if err := refused(t, six, pskc.Options{Key: unhex(t, "22345678901234567890123456789012")}); !errors.Is(err, pskc.ErrKey) {
		t.Error(err)
	}
}
