-- migrate:up
-- What each applied file of a tenant's migrations was, SHA-256 in hex. dbmate records versions only.
create table public.tenant_migration_digests (
  schema_name text not null,
  file text not null,
  digest text not null
    constraint tenant_migration_digests_is_sha256 check (digest ~ '^[0-9a-f]{64}$'),
  primary key (schema_name, file)
);

-- What a schema is like in which just some files were applied: 'migrations' is the SHA-256 of their names and
-- digests, 'server' PostgreSQL's major version, 'lines' describe the schema. Made anew where it is not there.
create table public.tenant_references (
  migrations text not null
    constraint tenant_references_migrations_is_sha256 check (migrations ~ '^[0-9a-f]{64}$'),
  server integer not null,
  lines text[] not null,
  primary key (migrations, server)
);

-- migrate:down
drop table public.tenant_references;
drop table public.tenant_migration_digests;
