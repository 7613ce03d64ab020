import logging

from sqlalchemy import create_engine, select

from uml_core.storage.line import Entry
from uml_core.storage.tables import metadata, requests
from uml_core.storage.upsert import merged, statements, usable


def executed(*batches):
    engine = create_engine("sqlite://")
    try:
        with engine.begin() as connection:
            metadata.create_all(connection)
            for batch in batches:
                for statement, values in statements(merged(batch)):
                    connection.execute(statement, values)
            columns = (requests.c.id, requests.c.status, requests.c.task, requests.c.code)
            return [tuple(row) for row in connection.execute(select(*columns).order_by("id"))]
    finally:
        engine.dispose()


def row(**values):
    return Entry("requests", values)


ROWS = (
    row(id="a", status="started", task="text-generation"),
    row(id="b", status="started", task="text-generation"),
    row(id="a", status="ok", code=None),
    row(id="a", status="error", code="worker_crashed"),
    row(id="c"),
)
END = [("a", "error", "text-generation", "worker_crashed"), ("b", "started", "text-generation", None), ("c", None, None, None)]  # fmt: skip  # noqa: E501


def test_together_or_one_by_one_the_end_is_the_same():
    assert executed(ROWS) == executed(*([entry] for entry in ROWS)) == END


def test_a_second_time_changes_nothing():
    assert executed(ROWS, ROWS) == executed(ROWS, ROWS[2:]) == END


def test_as_few_statements_as_sets_of_columns():
    batch = [row(id=f"{number}", status="started") for number in range(100)] + [row(id="a", code="x", status="error")]
    assert [len(values) for _, values in statements(merged(batch))] == [100, 1]


def test_unknown_columns_are_named_once_and_left_out(caplog):
    with caplog.at_level(logging.ERROR):
        for number in range(3):
            assert merged([row(id=f"{number}", odour="sweet")]) == {("requests", f"{number}"): {"id": f"{number}"}}
    assert [record.message for record in caplog.records] == ["table 'requests' has no column 'odour'; it is left out"]


def test_rows_without_table_or_key_are_named(caplog):
    assert not usable(Entry("colours", {"id": "a"}))
    assert not usable(row(status="ok"))
    assert not usable(row(id=7))
    assert usable(row(id="a"))
    assert len(caplog.records) == 3
