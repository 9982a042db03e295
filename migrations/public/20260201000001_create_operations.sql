-- migrate:up
-- One row for each set-up that the service accepted, before any other work on it. 'request' is what
-- was asked without the password, of which there is the argon2id hash only.
-- 'attempts' counts starts, and fences: only the newest start may write. 'version' counts changes.
create table public.operations (
  id uuid primary key,
  slug text not null,
  request jsonb not null
    constraint operations_request_has_no_password check (not request ? 'adminPassword'),
  password_hash text not null
    constraint operations_password_is_argon2id check (password_hash like '$argon2id$v=19$%'),
  subject text,
  status text not null default 'queued'
    constraint operations_status_is_known
      check (status in ('queued', 'running', 'succeeded', 'failed')),
  steps jsonb not null default '[]',
  attempts integer not null default 0,
  retries integer not null default 0,
  failure jsonb,
  tenant_id uuid,
  version bigint not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  started_at timestamptz,
  finished_at timestamptz,
  constraint operations_end_is_complete check (
    (finished_at is not null) = (status in ('succeeded', 'failed'))
    and (failure is not null) = (status = 'failed')
    and (tenant_id is not null or status <> 'succeeded')
  )
);

-- Of all that want one slug at once, one is accepted.
create unique index operations_one_alive_for_a_slug on public.operations (slug)
  where status in ('queued', 'running');

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

-- Which operation a caller's key stands for, or why none was accepted. 'fingerprint' is the SHA-256
-- of the request without the password.
create table public.idempotency_keys (
  subject text not null,
  key text not null
    constraint idempotency_keys_are_short check (char_length(key) between 1 and 255),
  fingerprint text not null,
  operation_id uuid references public.operations (id),
  conflict text,
  created_at timestamptz not null default now(),
  primary key (subject, key),
  constraint idempotency_keys_have_an_answer check ((operation_id is null) <> (conflict is null))
);

create index idempotency_keys_oldest_first on public.idempotency_keys (created_at);

-- migrate:down
drop table public.idempotency_keys;
drop table public.operations;
drop function public.tell_operation_change();
