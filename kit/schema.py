"""SQL that migrations share: the tables every service has, and what makes a table a tenant's."""

from alembic import op

# The client that the transaction is bound to; null, and so equal to none, where it is bound to no client.
SESSION_CLIENT = "nullif(current_setting('opsfield.client_id', true), '')::uuid"
OWN_ROWS = f"client_id = {SESSION_CLIENT}"

_TENANT_TABLE = """
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
CREATE POLICY workspace ON {table}
    USING (workspace_id = current_setting('opsfield.workspace_id', true))
    WITH CHECK (workspace_id = current_setting('opsfield.workspace_id', true));
"""

_SHARED_TABLES = """
CREATE TABLE idempotency_keys (
    workspace_id text NOT NULL,
    principal text NOT NULL,
    key text NOT NULL,
    fingerprint bytea NOT NULL,
    response bytea,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, principal, key)
);
CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);

CREATE TYPE outbox_state AS ENUM ('pending', 'published', 'failed');
CREATE TABLE outbox (
    workspace_id text NOT NULL,
    id uuid NOT NULL,
    sequence bigint GENERATED ALWAYS AS IDENTITY,
    topic text NOT NULL,
    key text NOT NULL,
    payload jsonb NOT NULL,
    correlation_id text NOT NULL,
    state outbox_state NOT NULL DEFAULT 'pending',
    attempts integer NOT NULL DEFAULT 0,
    last_error text,
    created_at timestamptz NOT NULL,
    next_attempt_at timestamptz NOT NULL,
    published_at timestamptz,
    PRIMARY KEY (workspace_id, id)
);
CREATE INDEX outbox_unpublished ON outbox (sequence) WHERE state <> 'published';
CREATE INDEX outbox_unpublished_keys ON outbox (topic, key, sequence) WHERE state <> 'published';
CREATE INDEX outbox_listed ON outbox (workspace_id, created_at, id);
CREATE INDEX outbox_age ON outbox (published_at) WHERE state = 'published';

CREATE TABLE inbox (
    workspace_id text NOT NULL,
    consumer text NOT NULL,
    event_id text NOT NULL,
    received_at timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, consumer, event_id)
);
CREATE INDEX inbox_age ON inbox (received_at);

CREATE TABLE audit_entries (
    workspace_id text NOT NULL,
    id uuid NOT NULL,
    occurred_at timestamptz NOT NULL,
    subject text NOT NULL,
    roles text[] NOT NULL,
    operation text NOT NULL,
    resource_id text,
    version bigint,
    correlation_id text NOT NULL,
    PRIMARY KEY (workspace_id, id)
);
CREATE INDEX audit_entries_of_resource ON audit_entries (workspace_id, resource_id, id);
REVOKE UPDATE, DELETE ON audit_entries FROM {service}_app;
"""

_SETTINGS_COPIES = """
CREATE TABLE settings_copies (
    workspace_id text NOT NULL,
    version bigint NOT NULL,
    settings bytea NOT NULL,
    fetched_at timestamptz NOT NULL,
    PRIMARY KEY (workspace_id)
);
"""

# The relay works for all workspaces, so it gets a policy of its own on just the tables it serves and sweeps.
_RELAY_TABLE = """
GRANT SELECT, UPDATE, DELETE ON {table} TO {service}_relay;
CREATE POLICY relay ON {table} TO {service}_relay USING (true) WITH CHECK (true);
"""

# A sequence per workspace and kind: numbers without a lock that the whole workspace would queue at. It runs as the
# owner, since it makes the sequence at the first number, and reads the workspace of the transaction, never a parameter.
_NUMBERS = """
CREATE SCHEMA numbers;
CREATE FUNCTION next_number(kind text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = numbers, pg_catalog AS $$
DECLARE
    workspace text := nullif(current_setting('opsfield.workspace_id', true), '');
    sequence text;
BEGIN
    IF workspace IS NULL OR kind !~ '^[a-z_]+$' THEN
        RAISE EXCEPTION 'no number without a workspace and a kind';
    END IF;
    sequence := format('numbers.%I', kind || '/' || md5(workspace));
    IF to_regclass(sequence) IS NULL THEN
        PERFORM pg_advisory_xact_lock(hashtextextended(sequence, 0));
        EXECUTE format('CREATE SEQUENCE IF NOT EXISTS %s START 1001', sequence);
    END IF;
    RETURN nextval(sequence);
END $$;
REVOKE ALL ON FUNCTION next_number(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION next_number(text) TO {service}_app;
"""


def execute(statements: str) -> None:
    """Run SQL statements in the migration's transaction. Alembic's own `op.execute` takes one at a time, since asyncpg
    prepares what it runs."""
    connection = op.get_bind().connection.dbapi_connection
    assert connection is not None
    connection.run_async(lambda driver: driver.execute(statements))


def shared_tables(service: str) -> str:
    """Idempotency keys, outbox, inbox and audit records of a service (`agent_runtime`: with an underscore)."""
    tables = ("idempotency_keys", "outbox", "inbox", "audit_entries")
    swept = ("idempotency_keys", "outbox", "inbox")
    return (
        _SHARED_TABLES.format(service=service)
        + "".join(tenant_table(table) for table in tables)
        + "".join(_RELAY_TABLE.format(table=table, service=service) for table in swept)
    )


def tenant_table(table: str) -> str:
    """Row-level security that even the table's owner is bound by. The table has a `workspace_id text NOT NULL` and
    every key and index of it begins with that."""
    return _TENANT_TABLE.format(table=table)


def client_scope(service: str) -> str:
    """What a person of a client needs of the shared tables to change anything: the key, the events and the audit record
    of the change."""
    return f"""
GRANT SELECT, INSERT, UPDATE ON idempotency_keys TO {service}_client;
GRANT INSERT ON outbox, audit_entries TO {service}_client;
"""


def client_table(service: str, table: str, *, rights: str, rows: str = OWN_ROWS) -> str:
    """Let the people of a client have `rights` ("SELECT, INSERT") on those rows of a table that the condition `rows`
    names. Restrictive: beside the workspace's policy, not instead of it. `SELECT … FOR SHARE` needs the right to update
    a column."""
    return f"""
GRANT {rights} ON {table} TO {service}_client;
CREATE POLICY client ON {table} AS RESTRICTIVE TO {service}_client USING ({rows}) WITH CHECK ({rows});
"""


def settings_copies(service: str) -> str:
    """The last known settings of each workspace, with which a service starts while the platform service is down. The
    relay's role reads them all, at the start."""
    return (
        _SETTINGS_COPIES
        + tenant_table("settings_copies")
        + f"GRANT SELECT ON settings_copies TO {service}_relay;"
        + f"CREATE POLICY relay ON settings_copies FOR SELECT TO {service}_relay USING (true);"
    )


def numbers(service: str) -> str:
    """The function `next_number(kind)`, for services whose kinds have human numbers."""
    return _NUMBERS.format(service=service)


_PARTITIONS = """
CREATE SCHEMA partitions;
-- Made beside the parent and then attached, which does not wait for those who read it.
CREATE FUNCTION make_partition(parent text, day date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_catalog AS $$
DECLARE
    leaf text := parent || '_' || to_char(day, 'YYYYMMDD');
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('partitions', 0));
    IF to_regclass(format('partitions.%I', leaf)) IS NOT NULL THEN
        RETURN;
    END IF;
    EXECUTE format('CREATE TABLE partitions.%I (LIKE public.%I INCLUDING ALL)', leaf, parent);
    PERFORM set_up_partition(parent, leaf);
    EXECUTE format(
        'ALTER TABLE public.%I ATTACH PARTITION partitions.%I FOR VALUES FROM (%L) TO (%L)',
        parent, leaf, day::timestamp AT TIME ZONE 'UTC', (day + 1)::timestamp AT TIME ZONE 'UTC'
    );
END $$;
CREATE FUNCTION drop_partitions(parent text, before date) RETURNS SETOF text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_catalog AS $$
DECLARE
    leaf text;
BEGIN
    FOR leaf IN
        SELECT child.relname FROM pg_inherits
        JOIN pg_class AS child ON child.oid = inhrelid JOIN pg_class AS above ON above.oid = inhparent
        WHERE above.relname = parent AND child.relnamespace = 'partitions'::regnamespace
        AND child.relname < parent || '_' || to_char(before, 'YYYYMMDD')
        ORDER BY child.relname
    LOOP
        EXECUTE format('DROP TABLE partitions.%I', leaf);
        RETURN NEXT leaf;
    END LOOP;
END $$;
REVOKE ALL ON FUNCTION make_partition(text, date), drop_partitions(text, date) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION make_partition(text, date), drop_partitions(text, date) TO {service}_relay;
"""


def partitions(service: str) -> str:
    """Functions for tables that are partitioned by day (UTC), for the service's relay role: `make_partition(parent,
    day)` and `drop_partitions(parent, before)`. The partitions lie in a schema of their own, where the service's role
    has no rights: it reaches them through the parent, so under row-level security. The migration has to define
    `set_up_partition(parent, leaf)`, for what a new one needs beside that."""
    return _PARTITIONS.format(service=service)
