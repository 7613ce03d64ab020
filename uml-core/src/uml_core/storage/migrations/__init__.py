"""How the schema got to be what it is, one step a file; Alembic runs them, and only then is it imported."""
