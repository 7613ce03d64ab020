"""The steps. Revisions are numbers, so that a database can be seen to be newer than the program."""
