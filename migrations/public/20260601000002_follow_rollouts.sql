-- migrate:up
-- Whether a rollout has migrated the tenant, and no engine run of its stack has brought the stack's state to that yet.
-- The service runs one when it has nothing else to do.
alter table public.service_tenants add column is_state_behind boolean not null default false;

create index service_tenants_behind on public.service_tenants (id) where is_state_behind;

-- migrate:down
alter table public.service_tenants drop column is_state_behind;
