-- Every command of psql that asks the server: none may fail.
\d
\dS
\d+
\d+ spans
\d+ traces
\d pg_catalog.pg_class
\da
\daS count
\dA
\dA+
\dAc
\dAf
\dAo
\dAp
\db
\db+
\dc
\dC
\dconfig
\dd
\dD
\ddp
\dE
\det
\des
\deu
\dew
\df
\df+
\dfS lower
\dF
\dFd
\dFp
\dFt
\dg
\dg+
\di
\di+
\dl
\dL
\dLS
\dm
\dn
\dn+
\dnS
\do
\doS =
\dO
\dOS
\dp
\dP
\drds
\dRp
\dRs
\ds
\dt
\dt+
\dtS
\dT
\dTS
\dT+
\du
\du+
\dv
\dv+
\dvS
\dx
\dx+
\dX
\dy
\l
\l+
\z
\sv traces
\conninfo
