-- migrate:up
-- A rollout that was asked for over HTTP, or at the start of the service, is run by each instance of it; any other only
-- by the command that began or resumed it. 'asked_by' is the claim sub of the token; null without one.
alter table public.rollouts
  add column is_served boolean not null default false,
  add column asked_by text;

-- migrate:down
alter table public.rollouts drop column is_served, drop column asked_by;
