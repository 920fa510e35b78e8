package pfsdk_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/xml"
	"fmt"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"mfabridge/internal/secret"
	"mfabridge/legacy/pfsdk"
)

// server is an old server as the documents describe it. No genuine one was
// ever seen.
type server struct {
	*httptest.Server
	users   []string
	limit   int               // users of one list, whatever the client asks for
	style   pfsdk.FilterStyle // how it filters
	like    bool              // it takes "_" for any character
	lacks   []string          // operations that it does not know
	answers map[string]func(w http.ResponseWriter, username string) bool
	byCert  bool // it lets a client certificate in, and no password

	mu    sync.Mutex
	asked []string // operation and user
}

const (
	account  = `CONTOSO\pull`
	password = "correct horse"
)

// start makes a server over TLS and the configuration of a client for it.
func start(t *testing.T, s *server) (*server, pfsdk.Config) {
	t.Helper()
	if s.limit == 0 {
		s.limit = 1 << 30
	}
	if s.style == "" {
		s.style = pfsdk.FilterPrefix
	}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(s.serve))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	config := pfsdk.Config{User: account, Password: secret.FromString(password), Wait: atOnce}
	if s.byCert {
		certificate, pool := clientCertificate(t)
		s.TLS = &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool}
		config.User, config.Password, config.Certificate = "", secret.Bytes{}, certificate
	}
	s.StartTLS()
	t.Cleanup(s.Close)
	config.CA = x509.NewCertPool()
	config.CA.AddCert(s.Certificate())
	config.URL = s.URL + "/MultiFactorAuthWebServiceSdk/PfWsSdk.asmx"
	return s, config
}

// clientCertificate makes an authority and a certificate of it.
func clientCertificate(t *testing.T) (*tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "pull"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

// soapRequest is what the server understands of a request, by the standard
// library.
type soapRequest struct {
	Body struct {
		Operation struct {
			XMLName  xml.Name
			Username string `xml:"username"`
			Filter   string `xml:"usernameFilter"`
			Limit    int    `xml:"resultLimit"`
			Tags     string `xml:"tagMatchType"`
		} `xml:",any"`
	} `xml:"http://schemas.xmlsoap.org/soap/envelope/ Body"`
}

func (s *server) serve(w http.ResponseWriter, r *http.Request) {
	var q soapRequest
	body, err := io.ReadAll(r.Body)
	if err == nil {
		err = xml.Unmarshal(body, &q)
	}
	operation := q.Body.Operation.XMLName.Local
	s.mu.Lock()
	s.asked = append(s.asked, operation+" "+q.Body.Operation.Username)
	s.mu.Unlock()
	user, secret, _ := r.BasicAuth()
	switch {
	case !s.byCert && (user != account || secret != password):
		w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
		http.Error(w, "no", http.StatusUnauthorized)
	case err != nil, q.Body.Operation.XMLName.Space != pfsdk.SDKNamespace,
		r.Header.Get("SOAPAction") != `"`+pfsdk.SDKNamespace+"/"+operation+`"`:
		http.Error(w, "bad", http.StatusBadRequest)
	case slices.Contains(s.lacks, operation):
		fault(w, "soap:Client", "Server did not recognize the value of HTTP Header SOAPAction: "+operation+".")
	case s.answers[operation] != nil && s.answers[operation](w, q.Body.Operation.Username):
	default:
		s.answer(w, operation, q)
	}
}

func fault(w http.ResponseWriter, code, text string) {
	w.Header().Set("Content-Type", "text/xml; charset=utf-8")
	w.WriteHeader(http.StatusInternalServerError)
	fmt.Fprintf(w, `<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body><soap:Fault>`+
		`<faultcode>%s</faultcode><faultstring>%s</faultstring><detail /></soap:Fault></soap:Body></soap:Envelope>`, code, text)
}

func send(w http.ResponseWriter, document string) {
	w.Header().Set("Content-Type", "text/xml; charset=utf-8")
	_, _ = io.WriteString(w, document)
}

// failed is an answer that says no.
func failed(operation string, code int) string {
	return sdk(operation+"Response", "<"+operation+"Result>false</"+operation+"Result><error><Code>"+strconv.Itoa(code)+"</Code><Description>no</Description></error>")
}

func text(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s))
	return b.String()
}

func (s *server) answer(w http.ResponseWriter, operation string, q soapRequest) {
	user := q.Body.Operation.Username
	known := slices.ContainsFunc(s.users, func(u string) bool { return strings.EqualFold(u, user) })
	switch {
	case operation == "TestSecurity":
		send(w, sdk("TestSecurityResponse", "<TestSecurityResult>secure</TestSecurityResult>"))
	case operation == "TestMasterConnection":
		send(w, answer(operation, ""))
	case strings.HasPrefix(operation, "FindUsers"):
		s.find(w, operation, q)
	case strings.HasPrefix(operation, "GetCustomerDefaults"):
		send(w, answer(operation, "<customerDefaults><Mode>phoneApp</Mode><MinimumPinLength>4</MinimumPinLength><PreventWeakPins>true</PreventWeakPins></customerDefaults>"))
	case operation == "GetUserPortalSettings":
		send(w, answer(operation, "<userPortalSettings><Url>https://portal.contoso.example</Url><DeviceLimit>5</DeviceLimit></userPortalSettings>"))
	case !known:
		send(w, failed(operation, 10))
	case strings.HasPrefix(operation, "GetUserSettings"):
		send(w, answer(operation, settingsOf(user)))
	case operation == "UserIsBlocked":
		send(w, answer(operation, "<blocked>"+strconv.FormatBool(strings.HasPrefix(user, "b"))+"</blocked>"))
	case operation == "GetUserDevices":
		send(w, answer(operation, "<userDevices><UserDevice><UserDeviceId>1</UserDeviceId><DeviceName>Phone, \"one\"</DeviceName><DeviceToken>push-"+text(user)+
			"</DeviceToken><PhoneAppVersion>6.1</PhoneAppVersion></UserDevice></userDevices>"))
	default:
		fault(w, "soap:Client", "Server did not recognize the value of HTTP Header SOAPAction: "+operation+".")
	}
}

// settingsOf are synthetic. Every tenth has a token; PINs must appear nowhere.
func settingsOf(user string) string {
	token := ""
	if strings.HasSuffix(user, "0@contoso.example") {
		token = "<OathTokenExists>true</OathTokenExists><OathTokenSerialNumber>T-" + text(user) + "</OathTokenSerialNumber>" +
			"<OathTokenSecretKey>GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ</OathTokenSecretKey><OathTokenTimeInterval>30</OathTokenTimeInterval>"
	}
	return "<userSettings><FirstName>Ada</FirstName><CountryCode>1</CountryCode><Phone>425-555-0100</Phone><Mode>smsText</Mode><PinMode>pin</PinMode>" +
		"<Pin>PINPIN</Pin><HistoricalPinValues>OLDPIN</HistoricalPinValues><StaticToken>STATICSTATIC</StaticToken>" +
		"<Enabled>true</Enabled>" + token + "</userSettings>"
}

func (s *server) find(w http.ResponseWriter, operation string, q soapRequest) {
	if operation == "FindUsers_4" && q.Body.Operation.Tags != "allUsers" {
		send(w, failed(operation, 999))
		return
	}
	filter := strings.ToLower(q.Body.Operation.Filter)
	var rows strings.Builder
	n, complete := 0, true
	for _, user := range s.users {
		folded := strings.ToLower(user)
		fits := strings.HasPrefix(folded, filter)
		switch s.style {
		case pfsdk.FilterSubstring:
			fits = strings.Contains(folded, filter)
		case pfsdk.FilterWildcard:
			prefix, ok := strings.CutSuffix(filter, "*")
			fits = filter == "" || ok && strings.HasPrefix(folded, prefix) || folded == filter
		}
		if s.like && len(folded) >= len(filter) {
			fits = true
			for i := range len(filter) {
				fits = fits && (filter[i] == '_' || filter[i] == folded[i])
			}
		}
		if !fits {
			continue
		}
		if n == min(s.limit, q.Body.Operation.Limit) {
			complete = false
			break
		}
		n++
		rows.WriteString("<UserRow><Username>" + text(user) + "</Username></UserRow>")
	}
	send(w, answer(operation, "<userRows>"+rows.String()+"</userRows><resultsComplete>"+strconv.FormatBool(complete)+"</resultsComplete>"))
}

// all are the requests so far.
func (s *server) all() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked)
}

func (s *server) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = nil
}

// askedFor counts the requests whose operation begins with a word.
func (s *server) askedFor(word string) int {
	n := 0
	for _, a := range s.all() {
		if strings.HasPrefix(a, word) {
			n++
		}
	}
	return n
}

// people are n users, among them some that are hard to find.
func people(n int) []string {
	all := []string{`CONTOSO\eve`, "Ünal@contoso.example", "zoë&co@contoso.example", "b b@contoso.example"}
	for i := len(all); i < n; i++ {
		all = append(all, fmt.Sprintf("user%03d@contoso.example", i))
	}
	return all
}
