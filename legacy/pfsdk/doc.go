// Package pfsdk speaks the two SOAP services of the old server: the Web Service
// SDK (PfWsSdk.asmx) and the mobile app service (PfPaWs.asmx).
//
// [Read] turns captured exchanges into records with the names of the export's
// columns. [Client] and [Pull] ask a server that still runs, and write what it
// answers as an export.
//
// Nothing of this was ever compared with a genuine server. Operations, element
// names and enumerations come from the interface metadata of one published
// client of an unknown version before 8.0; the layout of an exchange (SOAP 1.1,
// document/literal wrapped, Result first, error last) is derived from them. What
// was never seen is a setting, or is read leniently and refused when in doubt:
// docs/pull.md lists it. [CompareWSDL] says how a customer's own WSDL differs.
//
// The package only reads. The operations that it can send are the values of
// [Operation]; no operation that changes anything is among them, and none that
// verifies a person. PINs, static tokens and answers to security questions are
// never kept: a record says that they are there.
//
// It is the only package below legacy that uses the network, and legacy itself
// knows it only for its records.
package pfsdk
