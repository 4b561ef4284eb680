"""What all tables have in common: the one list of them, and the type of their growing keys."""

from sqlalchemy import BigInteger, Integer, MetaData

metadata = MetaData()

# SQLite only gives out growing keys for INTEGER PRIMARY KEY; PostgreSQL wants room for more.
Key = BigInteger().with_variant(Integer(), "sqlite")
