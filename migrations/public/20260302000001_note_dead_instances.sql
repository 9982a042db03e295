-- migrate:up
-- When an instance was first found dead. Its row is needed for as long as a stack's lock may name its
-- machine, and no longer.
alter table public.service_instances add column dead_since timestamptz;

-- migrate:down
alter table public.service_instances drop column dead_since;
