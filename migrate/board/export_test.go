package board

// MethodName is methodName.
var MethodName = methodName
