-- migrate:up
-- One row for each thing that the service was asked to do with a tenant, made before any other work on
-- it: its history, which may be deleted once it has ended. 'request' is what was asked, without
-- what is about a person; 'previous' is what was wanted of the tenant before, where that can be taken back.
-- 'attempts' counts starts, and fences: only the newest start may write. 'applied_at' is when the
-- tenant was as it is wanted, which may be before the engine has saved its state. 'version' counts
-- changes.
create table public.operations (
  id uuid primary key,
  kind text not null,
  tenant_id uuid not null,
  slug text not null,
  request jsonb not null
    constraint operations_request_is_about_no_person
      check (not request ?| array['adminPassword', 'adminEmail']),
  previous jsonb,
  subject text,
  status text not null default 'queued'
    constraint operations_status_is_known
      check (status in ('queued', 'running', 'succeeded', 'failed')),
  steps jsonb not null default '[]',
  attempts integer not null default 0,
  retries integer not null default 0,
  failure jsonb,
  version bigint not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  started_at timestamptz,
  applied_at timestamptz,
  finished_at timestamptz,
  constraint operations_end_is_complete check (
    (finished_at is not null) = (status in ('succeeded', 'failed'))
    and (failure is not null) = (status = 'failed')
    and (applied_at is not null or status <> 'succeeded')
  )
);

-- Of all that is asked of one tenant at once, one is accepted. One that is applied is in nobody's way,
-- though the engine still saves its state: its caller has been answered, and may ask for the next thing.
create unique index operations_one_alive_for_a_tenant on public.operations (tenant_id)
  where status in ('queued', 'running') and applied_at is null;

-- The few that wait or run, however long the history is.
create index operations_alive on public.operations (id) where status in ('queued', 'running');

-- How often the purge of a tenant has failed.
create index operations_purges on public.operations (tenant_id) where kind = 'purge';

-- Lists, newest first: kind by kind and status by status, or of one tenant.
create index operations_by_age on public.operations (kind, status, created_at, id);
create index operations_of_a_tenant on public.operations (tenant_id, created_at, id);

create index operations_ended on public.operations (finished_at) where finished_at is not null;

-- Whoever waits for an operation, in any instance, listens.
create function public.tell_operation_change() returns trigger language plpgsql as $$
begin
  if tg_op = 'UPDATE' then
    new.version := old.version + 1;
    new.updated_at := now();
  end if;
  perform pg_notify('tenant_operations', new.id::text);
  return new;
end $$;

create trigger operations_tell_change before insert or update on public.operations
  for each row execute function public.tell_operation_change();

-- Which operation a caller's key stands for, or why none was accepted; neither where nothing was to be
-- done. 'fingerprint' is the SHA-256
-- of the request without the password, of which 'password_hash' is the argon2id hash: an operation
-- keeps none.
create table public.idempotency_keys (
  subject text not null,
  key text not null
    constraint idempotency_keys_are_short check (char_length(key) between 1 and 255),
  fingerprint text not null,
  password_hash text
    constraint idempotency_keys_password_is_argon2id check (password_hash like '$argon2id$v=19$%'),
  operation_id uuid references public.operations (id) on delete cascade,
  conflict text,
  created_at timestamptz not null default now(),
  primary key (subject, key),
  constraint idempotency_keys_have_one_answer check (operation_id is null or conflict is null)
);

create index idempotency_keys_oldest_first on public.idempotency_keys (created_at);
create index idempotency_keys_operation on public.idempotency_keys (operation_id);

-- migrate:down
drop table public.idempotency_keys;
drop table public.operations;
drop function public.tell_operation_change();
