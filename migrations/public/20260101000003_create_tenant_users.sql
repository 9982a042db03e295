-- migrate:up
create table public.tenant_users (
  tenant_id uuid not null references public.tenants (id),
  user_id uuid not null references public.users (id),
  role text not null
    constraint tenant_users_role_is_known check (role in ('ADMIN', 'MEMBER')),
  created_at timestamptz not null default now(),
  primary key (tenant_id, user_id)
);

create index tenant_users_user on public.tenant_users (user_id);

-- migrate:down
drop table public.tenant_users;
