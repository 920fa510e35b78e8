package graph

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"mfabridge/cloud"
)

// Assumptions say how a face behaves where published text does not settle it,
// and which faults it shows. The zero value is what the text makes likely.
type Assumptions struct {
	RetryAfter   string        // "yes" (also empty): 429 carries Retry-After
	Limits       string        // "published" (also empty) or "none"
	Throttle     int           // one request in so many is answered 429; 0: none
	Busy         int           // one request in so many is answered 503
	Lost         int           // of one in so many writes that were done the answer is lost
	Partial      int           // one item of a batch in so many is throttled
	Late         time.Duration // what was written is seen after this time
	PhoneTaken   string        // "sign-in" (also empty: shared by who may sign in by text), "shared", "always": 409 with the phone stored
	Second       int           // status for a second phone of a type, a second address, a serial number that is there; 400
	WrongCode    int           // status for a wrong verification code; 400
	Masked       bool          // numbers are shown as to weaker roles
	Unregistered bool          // a preferred method that is not registered is taken, silently
	Leak         bool          // unroutable method paths answer in a form that is not OData's
	Page         int           // default page size; 100
	MaxPage      int           // 999
	TokenLife    time.Duration // 1 h
	Without      []string      // permissions that the application was not given
	Tenant       string        // tenantType: "AAD" (also empty), "AAD B2C", "CIAM"
	Migration    string        // policyMigrationState; "migrationComplete"
	OfficePhones string        // "yes" (also empty), "no": isOfficePhoneAllowed
	Preferred    string        // state of systemCredentialPreferences: "default" (also empty), "enabled", "disabled"
	Pass         string        // temporary access passes: "no" (also empty), "once", "any"
	Campaign     string        // state of the registration campaign: "default" (also empty), "enabled", "disabled"
	Eligible     []string      // who may take a role on for a while: user principal names, and names or ids of groups
	MayJoin      []string      // GROUP/PRINCIPAL: who may join a group for a while, which roles can be given to
	Owners       []string      // GROUP/PRINCIPAL: who owns a group, which roles can be given to
	NoPremium    bool          // the tenant has no licence for that
	Unreadable   []string      // users whose methods are not told: UPN, or UPN/STATUS; 403
	Federated    []string      // domains of another server: DOMAIN, or DOMAIN/BEHAVIOR as federatedIdpMfaBehavior has it
}

// Switch is one thing that can be assumed.
type Switch struct {
	Name   string
	Values string // for people
	About  string
	Source string // what was published, or seen, or that nothing was
}

// Switches are all of them.
func Switches() []Switch {
	return []Switch{
		{"retry-after", "yes|no", "429 says when to come back", "concepts/throttling: guaranteed for some resources only"},
		{"limits", "published|none", "resource units and writes of an application in a tenant", "concepts/throttling-limits; none is published for authentication methods"},
		{"throttle", "N", "one request in N is answered 429", "concepts/throttling"},
		{"busy", "N", "one request in N is answered 503", "concepts/errors"},
		{"lost", "N", "the answer to one in N writes that were done is lost", "a connection can end at any time"},
		{"batch-partial", "N", "one item of a batch in N is throttled by itself", "concepts/json-batching: items are throttled one by one"},
		{"late", "DURATION", "what was written is seen after this time", "concepts/aad-advanced-queries; a field script waits 5 s"},
		{"phone-taken", "sign-in|shared|always", "409 phoneNumberNotUnique though the phone is stored: for who may sign in by text, for every shared number, always", "realmjoin/realmjoin-runbooks issue 318"},
		{"second", "400|409", "status for a second phone of a type, a second address, a known serial number", "assumed: documented as \"fails\" only"},
		{"wrong-code", "400|403", "status for a wrong verification code", "assumed: not documented"},
		{"masked", "yes|no", "numbers are shown masked", "authentication-list-phonemethods: for plain authentication administrators"},
		{"unregistered-default", "take|refuse", "a preferred method that is not registered", "assumed: not documented"},
		{"leak", "yes|no", "unroutable paths answer with Message and MessageDetail", "microsoftgraph/msgraph-sdk-powershell issue 937"},
		{"page", "N", "default page size", "concepts/paging; the figure is not published for all resources"},
		{"token-life", "DURATION", "life of an access token", "access tokens live 60 to 90 minutes"},
		{"without", "PERMISSION", "a permission that was not consented; may repeat", "permissions reference"},
		{"tenant", "AAD|B2C|CIAM", "type of the tenant", "resources/organization: tenantType"},
		{"policy-migration", "preMigration|migrationInProgress|migrationComplete", "state of the policy's migration", "resources/authenticationmethodspolicy"},
		{"office-phones", "yes|no", "office phones may be used", "resources/voiceauthenticationmethodconfiguration"},
		{"system-preferred", "default|enabled|disabled", "the system chooses the method by itself", "beta resources/authenticationmethodspolicy"},
		{"pass", "no|once|any", "temporary access passes are allowed to nobody, to everybody for one use, or for any number of uses", "resources/temporaryaccesspassauthenticationmethodconfiguration: off until an administrator enables it"},
		{"campaign", "default|enabled|disabled", "registration campaign", "resources/authenticationmethodsregistrationcampaign"},
		{"eligible", "PRINCIPAL", "a user (UPN) or group who may take a role on for a while; may repeat", "rbacapplication-list-roleeligibilityscheduleinstances"},
		{"may-join", "GROUP/PRINCIPAL", "a user (UPN) or group who may join a group for a while, to which roles can be given; may repeat", "privilegedaccessgroup-list-eligibilityscheduleinstances"},
		{"owner", "GROUP/PRINCIPAL", "a user (UPN) who owns a group, to which roles can be given; may repeat", "group-list-owners; concepts of role-assignable groups"},
		{"premium", "yes|no", "the tenant has the licence for roles that are taken on for a while", "code AadPremiumLicenseRequired: seen in issues; for Graph itself assumed"},
		{"unreadable", "UPN[/STATUS]", "a user whose methods are answered STATUS (403); may repeat", "microsoftgraph/msgraph-sdk-powershell issue 2602: accessDenied for some users"},
		{"federated", "DOMAIN[/BEHAVIOR]", "a federated domain and its federatedIdpMfaBehavior; may repeat", "resources/internaldomainfederation"},
	}
}

// ParseAssumptions understands NAME=VALUE for each. Invalid: a name or a value
// that is none of [Switches].
func ParseAssumptions(given []string) (a Assumptions, err error) {
	for _, s := range given {
		name, value, _ := strings.Cut(s, "=")
		if err := a.set(name, value); err != nil {
			return Assumptions{}, &cloud.Error{Kind: cloud.Invalid, Message: fmt.Sprintf("%q cannot be assumed: %v", s, err)}
		}
	}
	return a, nil
}

func (a *Assumptions) set(name, value string) (err error) {
	at := slices.IndexFunc(Switches(), func(s Switch) bool { return s.Name == name })
	if at < 0 {
		return fmt.Errorf("there is no such switch")
	}
	allowed := strings.Split(Switches()[at].Values, "|")
	if len(allowed) > 1 && !slices.Contains(allowed, value) {
		return fmt.Errorf("it takes %s", Switches()[at].Values)
	}
	number := map[string]*int{"throttle": &a.Throttle, "busy": &a.Busy, "lost": &a.Lost, "batch-partial": &a.Partial,
		"second": &a.Second, "wrong-code": &a.WrongCode, "page": &a.Page}
	duration := map[string]*time.Duration{"late": &a.Late, "token-life": &a.TokenLife}
	word := map[string]*string{"retry-after": &a.RetryAfter, "limits": &a.Limits, "phone-taken": &a.PhoneTaken, "tenant": &a.Tenant,
		"policy-migration": &a.Migration, "office-phones": &a.OfficePhones, "system-preferred": &a.Preferred, "campaign": &a.Campaign, "pass": &a.Pass}
	yes := map[string]*bool{"masked": &a.Masked, "leak": &a.Leak}
	many := map[string]*[]string{"without": &a.Without, "eligible": &a.Eligible}
	pairs := map[string]*[]string{"may-join": &a.MayJoin, "owner": &a.Owners}
	switch {
	case number[name] != nil:
		if *number[name], err = strconv.Atoi(value); err != nil || *number[name] < 1 || *number[name] > 100_000 {
			return fmt.Errorf("it takes a number")
		}
		if name == "throttle" && a.Throttle < 2 || name == "busy" && a.Busy < 2 {
			return fmt.Errorf("nothing would ever be answered")
		}
	case duration[name] != nil:
		if *duration[name], err = time.ParseDuration(value); err != nil || *duration[name] <= 0 || *duration[name] > 24*time.Hour {
			return fmt.Errorf("it takes a time, e.g. 2s")
		}
	case word[name] != nil:
		*word[name] = value
	case yes[name] != nil:
		*yes[name] = value == "yes"
	case name == "unregistered-default":
		a.Unregistered = value == "take"
	case name == "federated":
		if _, ok := parseFederated(value); !ok {
			return fmt.Errorf("it takes DOMAIN/BEHAVIOR with one of %s", strings.Join(behaviors(), ", "))
		}
		a.Federated = append(a.Federated, value)
	case pairs[name] != nil:
		if group, who, _ := strings.Cut(value, "/"); group == "" || who == "" {
			return fmt.Errorf("it takes GROUP/PRINCIPAL")
		}
		*pairs[name] = append(*pairs[name], value)
	case name == "premium":
		a.NoPremium = value == "no"
	case name == "unreadable":
		if _, status := parseUnreadable(value); status == 0 {
			return fmt.Errorf("it takes UPN/STATUS with a status of 400 to 599")
		}
		a.Unreadable = append(a.Unreadable, value)
	case many[name] != nil && value != "":
		*many[name] = append(*many[name], value)
	default:
		return fmt.Errorf("it takes %s", Switches()[at].Values)
	}
	return nil
}

func (a Assumptions) filled() Assumptions {
	for _, f := range []struct {
		field *int
		value int
	}{{&a.Second, 400}, {&a.WrongCode, 400}, {&a.Page, 100}, {&a.MaxPage, 999}} {
		if *f.field == 0 {
			*f.field = f.value
		}
	}
	for _, f := range []struct {
		field *string
		value string
	}{{&a.RetryAfter, "yes"}, {&a.Limits, "published"}, {&a.PhoneTaken, "sign-in"}, {&a.Tenant, "AAD"}, {&a.Migration, "migrationComplete"},
		{&a.OfficePhones, "yes"}, {&a.Preferred, "default"}, {&a.Campaign, "default"}, {&a.Pass, "no"}} {
		if *f.field == "" {
			*f.field = f.value
		}
	}
	if a.Tenant == "B2C" {
		a.Tenant = "AAD B2C"
	}
	if a.TokenLife == 0 {
		a.TokenLife = time.Hour
	}
	return a
}
