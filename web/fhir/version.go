package fhir

// ReaderVersion says which reader made stored facts. Whoever changes what [Read] gives counts it up: stored files whose
// facts an older one made are read again.
const ReaderVersion = 1
