"""From a document to a record: expressions of [mapping], compiled once. The only home of jmespath."""
