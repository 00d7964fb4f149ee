with sales as (
  select s_suppkey, s_name, n1.n_name as supplier_nation, n2.n_name as customer_nation, c_custkey, c_mktsegment, o_orderkey, o_orderdate,
    extract(year from o_orderdate) as sold_year, l_partkey, l_quantity, l_extendedprice * (1 - l_discount) as net, ps_supplycost * l_quantity as cost
  from {supplier}
  join {lineitem} l on l.l_suppkey = s_suppkey
  join {orders} o on o.o_orderkey = l.l_orderkey
  join {customer} c on c.c_custkey = o.o_custkey
  join {partsupp} ps on ps.ps_partkey = l.l_partkey and ps.ps_suppkey = l.l_suppkey
  join {nation} n1 on n1.n_nationkey = s_nationkey
  join {nation} n2 on n2.n_nationkey = c.c_nationkey
  join {region} r1 on r1.r_regionkey = n1.n_regionkey
  left join {region} r2 on r2.r_regionkey = n2.n_regionkey
  where o.o_orderdate between date '1995-01-01' and date '1996-12-31' and r1.r_name = 'ASIA' and c.c_mktsegment in ('BUILDING', 'MACHINERY')
    and l.l_quantity between 1 and 40 and o.o_orderstatus <> 'P' and l.l_shipmode not in ('TRUCK', 'FOB')),
parts as (
  select p_partkey, p_brand, p_type, p_size, p_container, count(*) as offers, min(ps_supplycost) as cheapest
  from {part} p
  join {partsupp} ps on ps.ps_partkey = p.p_partkey
  join {supplier} s on s.s_suppkey = ps.ps_suppkey
  where p_size in (1, 4, 9, 14, 19, 23, 36, 45) and p_type not like 'MEDIUM POLISHED%' and s_acctbal > 0
  group by p_partkey, p_brand, p_type, p_size, p_container),
by_year as (
  select sold_year, supplier_nation, p_brand, p_type, sum(net) as net, sum(cost) as cost, sum(l_quantity) as quantity, count(distinct c_custkey) as customers
  from sales join parts on l_partkey = p_partkey
  group by sold_year, supplier_nation, p_brand, p_type),
returns as (
  select l_suppkey, count(*) as n, sum(l_extendedprice) as value
  from {lineitem} where l_returnflag = 'R' and l_shipdate >= date '1995-01-01'
  group by l_suppkey
  union all
  select l_suppkey, count(*), sum(l_extendedprice)
  from {lineitem} join {orders} on o_orderkey = l_orderkey
  where o_orderpriority in ('1-URGENT', '2-HIGH') and l_receiptdate > l_commitdate and o_orderdate < date '1997-01-01'
  group by l_suppkey),
ranked as (
  select a.sold_year, a.supplier_nation, a.p_brand, a.net, b.net as before, a.quantity, a.customers,
    rank() over (partition by a.sold_year, a.supplier_nation order by a.net desc) as place,
    sum(a.net) over (partition by a.sold_year) as whole
  from by_year a
  left join by_year b on b.sold_year = a.sold_year - 1 and b.supplier_nation = a.supplier_nation and b.p_brand = a.p_brand and b.p_type = a.p_type
  where a.sold_year = 1996 and a.net > 0)
select r.supplier_nation, r.p_brand, r.net, r.before, r.place, 100.0 * r.net / r.whole as share, x.returned,
  case when r.before is null then 'new' when r.net > r.before then 'up' else 'down' end as trend,
  (select count(*) from {customer} where c_nationkey = x.n_nationkey and c_acctbal > 1000) as rich
from ranked r
join (
  select n.n_name, n.n_nationkey, sum(t.value) as returned
  from returns t join {supplier} s on s.s_suppkey = t.l_suppkey join {nation} n on n.n_nationkey = s.s_nationkey
  where s.s_acctbal between 0 and 9000
  group by n.n_name, n.n_nationkey) x on x.n_name = r.supplier_nation
where r.place <= 10
  and exists (select * from {orders} o join {customer} c on c.c_custkey = o.o_custkey where c.c_nationkey = x.n_nationkey and o.o_totalprice > 100000)
  and x.n_nationkey in (select n_nationkey from {nation} join {region} on r_regionkey = n_regionkey where r_name in ('ASIA', 'EUROPE'))
order by r.supplier_nation, r.place, r.p_brand
limit 100
