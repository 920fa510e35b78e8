package pfsdk

import "strings"

// Operation is one that can be sent to a server. All of them read; there is no
// way to send another one, because a request is made from nothing but a value
// of this type and a user's name or a filter.
type Operation byte

// The operations, the newest overload of each first.
const (
	noOperation Operation = iota
	TestSecurity
	TestMasterConnection
	FindUsers4
	FindUsers3
	FindUsers2
	FindUsers
	GetUserSettings3
	GetUserSettings2
	GetUserSettingsOld2
	GetUserSettings
	GetUserDevices
	UserIsBlocked
	GetCustomerDefaults3
	GetCustomerDefaults2
	GetCustomerDefaults
	GetUserPortalSettings
	endOfOperations
)

// String is the name on the wire; "" if o is none.
func (o Operation) String() string {
	names := [...]string{
		TestSecurity: "TestSecurity", TestMasterConnection: "TestMasterConnection",
		FindUsers4: "FindUsers_4", FindUsers3: "FindUsers_3", FindUsers2: "FindUsers_2", FindUsers: "FindUsers",
		GetUserSettings3: "GetUserSettings_3", GetUserSettings2: "GetUserSettings_2",
		GetUserSettingsOld2: "GetUserSettings2", GetUserSettings: "GetUserSettings",
		GetUserDevices: "GetUserDevices", UserIsBlocked: "UserIsBlocked",
		GetCustomerDefaults3: "GetCustomerDefaults_3", GetCustomerDefaults2: "GetCustomerDefaults_2", GetCustomerDefaults: "GetCustomerDefaults",
		GetUserPortalSettings: "GetUserPortalSettings",
	}
	if int(o) >= len(names) {
		return ""
	}
	return names[o]
}

// Operations lists all that can be sent.
func Operations() []Operation {
	var all []Operation
	for o := noOperation + 1; o < endOfOperations; o++ {
		all = append(all, o)
	}
	return all
}

// overloads are the operations that do the same, the newest first.
func (o Operation) overloads() []Operation {
	var all []Operation
	for _, other := range Operations() {
		if familyOf(other.String()) == familyOf(o.String()) && (familyOf(o.String()) != testFamily || other == o) {
			all = append(all, other)
		}
	}
	return all
}

// parameter is one of a request.
type parameter struct{ name, value string }

// byUser is the request about one user.
func byUser(username string) []parameter { return []parameter{{"username", username}} }

// findParameters ask for the users whose names a filter lets pass. Filters of
// other columns are sent as not specified.
func findParameters(element, filter, limit string) []parameter {
	return []parameter{
		{element, filter},
		{strings.TrimSuffix(element, "Filter") + "CaseSensitive", "false"},
		{"modeSpecified", "false"}, {"pinModeSpecified", "false"}, {"smsDirectionSpecified", "false"},
		{"smsModeSpecified", "false"}, {"phoneAppModeSpecified", "false"},
		{"tagMatchType", "allUsers"}, {"enabledSpecified", "false"},
		{"resultLimit", limit},
	}
}

// envelope is a request as it is sent.
func (o Operation) envelope(parameters []parameter) string {
	var b strings.Builder
	b.WriteString(`<?xml version="1.0" encoding="utf-8"?><soap:Envelope xmlns:soap="` + soap11 + `"><soap:Body><`)
	b.WriteString(o.String() + ` xmlns="` + SDKNamespace + `">`)
	for _, p := range parameters {
		b.WriteString("<" + p.name + ">")
		_, _ = escape.WriteString(&b, p.value)
		b.WriteString("</" + p.name + ">")
	}
	b.WriteString("</" + o.String() + "></soap:Body></soap:Envelope>")
	return b.String()
}

// escape makes text of XML. Carriage returns would be read as line ends.
var escape = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "\r", "&#13;")
