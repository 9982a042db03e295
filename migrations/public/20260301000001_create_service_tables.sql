-- migrate:up
-- The instances of the service. One is alive while a session holds the advisory lock of its id;
-- 'machine' is the name that the Pulumi CLI writes into a stack's lock there.
create table public.service_instances (
  id uuid primary key,
  machine text not null,
  started_at timestamptz not null default now()
);

-- The service's stacks: spare ones, made ahead, and those of tenants. One that is being made, or whose
-- run was started ahead, is its instance's until that is dead. 'settings' is the stack's settings file
-- as the CLI wrote it: the salt of the key that its secrets are encrypted with.
create table public.service_stacks (
  name text primary key
    constraint service_stacks_name_is_valid check (name ~ '^[a-z0-9][a-z0-9-]{0,99}$'),
  status text not null
    constraint service_stacks_status_is_known
      check (status in ('making', 'spare', 'parked', 'taken', 'removing')),
  slug text
    constraint service_stacks_one_for_a_slug unique,
  instance uuid,
  settings text,
  created_at timestamptz not null default now(),
  constraint service_stacks_taken_for_a_slug check ((status = 'taken') = (slug is not null)),
  constraint service_stacks_held_by_an_instance
    check ((status in ('making', 'parked', 'removing')) = (instance is not null))
);

-- The few that are no tenant's, oldest first, however many are.
create index service_stacks_free on public.service_stacks (created_at) where status <> 'taken';

-- migrate:down
drop table public.service_stacks;
drop table public.service_instances;
