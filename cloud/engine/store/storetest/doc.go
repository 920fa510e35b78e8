// Package storetest is the one suite that every store of the engine passes:
// what [engine.Store] promises, and what an engine on it promises, alone and
// beside other engines on the same store.
package storetest
