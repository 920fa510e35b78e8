package peer

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// eapModules are what FreeRADIUS 3 needs besides for CHAP, MS-CHAP and EAP.
const eapModules = `
  chap {
  }
  mschap {
    use_mppe = yes
    require_encryption = yes
    require_strong = yes
  }
  eap {
    default_eap_type = md5
    timer_expire = 60
    ignore_unknown_eap_types = no
    max_sessions = 256
    md5 {
    }
    gtc {
      challenge = "Password: "
      auth_type = PAP
    }
    mschapv2 {
    }
    tls-config common {
      private_key_file = FOLDER/home.key
      certificate_file = FOLDER/home.pem
      ca_file = FOLDER/home.pem
      tls_min_version = "1.2"
      tls_max_version = "1.2"
    }
    tls {
      tls = common
    }
    ttls {
      tls = common
      default_eap_type = md5
      use_tunneled_reply = yes
      virtual_server = inner
    }
    peap {
      tls = common
      default_eap_type = mschapv2
      use_tunneled_reply = yes
      virtual_server = inner
    }
  }
}
`

// eapServers are the conversation outside, and the one inside tunnels, which
// says who it was.
const eapServers = `
  authorize {
    eap {
      ok = return
    }
    files
    chap
    mschap
    pap
  }
  authenticate {
    Auth-Type PAP {
      pap
    }
    Auth-Type CHAP {
      chap
    }
    Auth-Type MS-CHAP {
      mschap
    }
    eap
  }
`

const innerServer = `
server inner {` + eapServers + `
  post-auth {
    update reply {
      User-Name := "%{User-Name}"
    }
  }
}
`

// HomeServerEAP is [HomeServer] with CHAP, MS-CHAPv2 and EAP: MD5, GTC,
// MSCHAPv2, TTLS and PEAP. Its Access-Accept names who is inside a tunnel. The
// certificate that it shows is in the file ca.
func HomeServerEAP(t testing.TB, key, users string) (address, ca string) {
	t.Helper()
	cert, private := selfSigned(t)
	conf := strings.Replace(homeConf, "  pap {\n  }\n}\n", "  pap {\n  }\n"+eapModules, 1)
	head, _, _ := strings.Cut(conf, "  authorize {")
	conf = head + eapServers + "}\n" + innerServer
	ca = filepath.Join(t.TempDir(), "home.pem")
	if err := os.WriteFile(ca, cert, 0o600); err != nil {
		t.Fatal(err)
	}
	return runHome(t, t.TempDir(), key, conf, map[string][]byte{"users": []byte(users), "home.pem": cert, "home.key": private}), ca
}

// selfSigned makes a certificate for one test.
func selfSigned(t testing.TB) (cert, private []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "home.contoso.example"}, DNSNames: []string{"home.contoso.example"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: secret})
}
