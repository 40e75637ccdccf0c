"""A million tickets, made in the database itself."""

from collections.abc import Callable

import asyncpg

WORKSPACE = "bench"
TICKETS = 1_000_000
CLIENTS = 200

_CLIENTS = """
INSERT INTO clients (workspace_id, id, name, status, tags, created_at, updated_at, created_by, version, search)
SELECT $1, gen_random_uuid(), 'Client ' || n, 'active', '{}', now(), now(), 'bench', 1, 'client ' || n
FROM generate_series(1, $2) AS n
"""
# Words drawn per ticket, so that trigrams are spread as in real text and "order 4711…" is found in one.
_TICKETS = """
WITH words AS (
    SELECT ARRAY['printer','laptop','server','backup','mailbox','network','password','licence','monitor','router',
        'update','phone','invoice','scanner','account','cloud','disk','memory','browser','calendar'] AS noun,
        ARRAY['broken','slow','missing','locked','full','noisy','new','offline','expired','unknown','wrong','late',
        'hot','cracked','silent','blocked'] AS adjective,
        (SELECT array_agg(id) FROM clients WHERE workspace_id = $1) AS client
), made AS (
    SELECT n, client[1 + n % array_length(client, 1)] AS client_id,
        noun[1 + (hashint4(n) & 1023) % 20] || ' ' || adjective[1 + (hashint4(n * 7) & 1023) % 16] || ', order '
            || (n::bigint * 7919 % 1000003) AS subject,
        'It happened in ' || noun[1 + (hashint4(n * 3) & 1023) % 20] || ' room ' || (n % 977) || ' and is '
            || adjective[1 + (hashint4(n * 5) & 1023) % 16] || ' since then.' AS description,
        now() - make_interval(secs => 90 * 86400.0 * (1 - n::float / $2)) AS created_at
    FROM words, generate_series(1, $2) AS n
)
INSERT INTO tickets (workspace_id, id, number, subject, description, client_id, status, priority, source, category,
    assignee_id, tier, tags, reopen_count, escalations, created_at, updated_at, created_by, version, search)
SELECT $1, gen_random_uuid(), 10000000 + n, subject, description, client_id,
    (enum_range(NULL::ticket_status))[1 + n % 5], (enum_range(NULL::ticket_priority))[1 + n % 4], 'email', 'Hardware',
    'technician-' || n % 12, 1, '{}', 0, '[]', created_at, created_at, 'bench', 1,
    lower(subject || E'\\n' || description || E'\\nT-' || (10000000 + n))
FROM made
"""
_SEARCH_INDEX = (
    "CREATE INDEX tickets_search ON tickets USING gin (workspace_id, search gin_trgm_ops) WHERE deleted_at IS NULL"
)


async def load(admin_url: str, report: Callable[[str], None]) -> None:
    """Fill the bench workspace unless it is full. `admin_url`: a superuser's, of the ops database."""
    connection = await asyncpg.connect(admin_url)
    try:
        await connection.execute("CREATE SEQUENCE IF NOT EXISTS bench_plain_number START 5000001")
        if await connection.fetchval("SELECT count(*) FROM tickets WHERE workspace_id = $1", WORKSPACE) >= TICKETS:
            return
        report(f"loading {TICKETS:,} tickets (once, some minutes)")
        await connection.execute("SET maintenance_work_mem = '512MB'")
        async with connection.transaction():
            await connection.execute("DROP INDEX tickets_search")
            await connection.execute(_CLIENTS, WORKSPACE, CLIENTS)
            await connection.execute(_TICKETS, WORKSPACE, TICKETS)
            report("building the search index")
            await connection.execute(_SEARCH_INDEX)
        await connection.execute("VACUUM ANALYZE tickets")
        await connection.execute("VACUUM ANALYZE clients")
    finally:
        await connection.close()
