"""SCIM searches in SQL: the folded form of documents, filters, sorting and pages. Both databases answer alike."""
