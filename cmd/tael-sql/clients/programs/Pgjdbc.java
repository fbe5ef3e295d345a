import java.sql.*;
import java.time.OffsetDateTime;
import java.util.Properties;

/** pgjdbc: simple and extended queries, server-prepared statements with binary results, fetch sizes, metadata. */
public class Pgjdbc {
    static void show(String title, ResultSet rs) throws SQLException {
        ResultSetMetaData m = rs.getMetaData();
        StringBuilder head = new StringBuilder("-- " + title);
        for (int i = 1; i <= m.getColumnCount(); i++) {
            head.append(' ').append(m.getColumnLabel(i)).append(':').append(m.getColumnTypeName(i)).append('/').append(m.getColumnClassName(i));
        }
        System.out.println(head);
        while (rs.next()) {
            StringBuilder row = new StringBuilder();
            for (int i = 1; i <= m.getColumnCount(); i++) {
                boolean bytes = m.getColumnType(i) == Types.BINARY;
                row.append(i > 1 ? " | " : "").append(bytes ? java.util.Arrays.toString(rs.getBytes(i)) : rs.getString(i));
            }
            System.out.println(row);
        }
        rs.close();
    }

    static void error(String title, SQLException e) {
        System.out.println("-- " + title + " " + e.getSQLState() + " " + e.getMessage().split("\n")[0]);
    }

    static Connection open(String... settings) throws SQLException {
        Properties p = new Properties();
        p.setProperty("user", System.getenv("PGUSER"));
        for (int i = 0; i < settings.length; i += 2) {
            p.setProperty(settings[i], settings[i + 1]);
        }
        return DriverManager.getConnection("jdbc:postgresql://" + System.getenv("PGHOST") + ":" + System.getenv("PGPORT") + "/" + System.getenv("PGDATABASE"), p);
    }

    static void queries(Connection c, boolean simple) throws SQLException {
        System.out.println("valid " + c.isValid(5) + " autocommit " + c.getAutoCommit());
        try (Statement s = c.createStatement()) {
            show("types", s.executeQuery("SELECT 1::int2 a, 2::int4 b, 3::int8 c, 1.5::float4 d, 2.5::float8 e, 12.50::numeric f, true g, 'x'::text h, "
                + "'\\x00ff'::bytea i, '2024-02-29'::date j, '12:34:56'::time k, '2024-02-29 12:00:00+00'::timestamptz l, '1 day'::interval m, "
                + "'11111111-2222-3333-4444-555555555555'::uuid n, '{\"a\": 1}'::jsonb o, ARRAY[1,2] p, ARRAY['a','b'] q, NULL r"));
        }
        try (PreparedStatement p = c.prepareStatement("SELECT service, kind, count(*) n, max(duration_ms) m, min(start_time) t FROM spans "
            + "WHERE duration_ns > ? AND service <> ? AND start_time > ? AND is_root = ? GROUP BY 1, 2 ORDER BY 1, 2 LIMIT 2")) {
            for (int i = 0; i < 7; i++) { // prepared by the server on the fifth run, binary after
                p.setLong(1, 1000 + i);
                p.setString(2, "nobody");
                p.setObject(3, OffsetDateTime.parse("2023-01-01T00:00:00Z"));
                p.setBoolean(4, false);
                show("run " + i, p.executeQuery());
            }
        }
        try (PreparedStatement p = c.prepareStatement("SELECT ?::int[], ?::numeric, ?::uuid, ?::jsonb, ?")) {
            p.setArray(1, c.createArrayOf("int4", new Integer[] {1, null, 3}));
            p.setBigDecimal(2, new java.math.BigDecimal("123456789.123456789"));
            p.setObject(3, new java.util.UUID(1, 2));
            p.setString(4, "{}");
            p.setNull(5, Types.VARCHAR);
            show("parameters", p.executeQuery());
        }
        c.setAutoCommit(false);
        try (Statement s = c.createStatement()) {
            s.setFetchSize(100);
            int n = 0;
            try (ResultSet rs = s.executeQuery("SELECT * FROM spans")) {
                while (rs.next()) {
                    n++;
                }
            }
            System.out.println("-- fetch size " + n);
            s.setMaxRows(3);
            show("max rows", s.executeQuery("SELECT g FROM generate_series(1, 10) g"));
        }
        c.commit();
        try (Statement s = c.createStatement()) {
            for (String sql : new String[] {"SELECT nosuch FROM spans", "SELECT 1/0", "SELEC", "SELECT 'x'::int"}) {
                Savepoint sp = c.setSavepoint();
                try {
                    s.executeQuery(sql);
                } catch (SQLException e) {
                    error(sql, e);
                    c.rollback(sp);
                }
            }
        }
        try (PreparedStatement p = c.prepareStatement("INSERT INTO comments (id, trace_id, span_id, author, body) VALUES (?, 't', 's', ?, ?)")) {
            for (int i = 0; i < 3; i++) {
                p.setString(1, "j" + i);
                p.setString(2, "me");
                p.setString(3, "body " + i);
                p.addBatch();
            }
            System.out.println("-- batch " + java.util.Arrays.toString(p.executeBatch()));
        }
        try (Statement s = c.createStatement()) {
            System.out.println("-- update " + s.executeUpdate("UPDATE comments SET body = upper(body) WHERE id LIKE 'j%'"));
            show("comments", s.executeQuery("SELECT id, body FROM comments WHERE id LIKE 'j%' ORDER BY id"));
        }
        c.rollback();
        c.setAutoCommit(true);
        c.setReadOnly(true);
        c.setTransactionIsolation(Connection.TRANSACTION_REPEATABLE_READ);
        System.out.println("-- isolation " + c.getTransactionIsolation() + " " + c.isReadOnly());
        c.setReadOnly(false);
        c.setTransactionIsolation(Connection.TRANSACTION_READ_COMMITTED);
        try (Statement s = c.createStatement()) {
            System.out.println("-- several " + s.execute("SELECT 1; SELECT 2 AS b"));
            s.getMoreResults();
            show("second", s.getResultSet());
        }
        if (!simple) try (PreparedStatement p = c.prepareStatement("SELECT span_id, attributes FROM spans WHERE duration_ns = ?")) {
            System.out.println("-- described " + p.getMetaData().getColumnTypeName(2) + " " + p.getParameterMetaData().getParameterTypeName(1)
                + " " + p.getMetaData().getTableName(1) + " " + p.getMetaData().isNullable(1));
        }
        try (Statement s = c.createStatement()) {
            s.setQueryTimeout(1);
            s.executeQuery("SELECT pg_sleep(20)");
        } catch (SQLException e) {
            error("timeout", e);
        }
    }

    static void metadata(Connection c) throws SQLException {
        DatabaseMetaData m = c.getMetaData();
        System.out.println("-- " + m.getDatabaseProductName() + " " + m.getDatabaseMajorVersion() + " " + m.getIdentifierQuoteString());
        show("schemas", m.getSchemas(null, "public"));
        show("table types", m.getTableTypes());
        String[] tables = {"spans", "logs", "metrics", "comments", "llm_prices"};
        for (String table : tables) {
            ResultSet rs = m.getTables(null, "public", table, new String[] {"TABLE"});
            while (rs.next()) {
                System.out.println("-- table " + rs.getString("TABLE_SCHEM") + "." + rs.getString("TABLE_NAME") + " " + rs.getString("TABLE_TYPE"));
            }
            rs = m.getColumns(null, "public", table, "%");
            while (rs.next()) {
                System.out.println(table + "." + rs.getString("COLUMN_NAME") + " " + rs.getInt("DATA_TYPE") + " " + rs.getString("TYPE_NAME") + " " + rs.getInt("COLUMN_SIZE")
                    + " " + rs.getInt("DECIMAL_DIGITS") + " " + rs.getInt("NULLABLE") + " " + rs.getInt("ORDINAL_POSITION") + " " + rs.getString("IS_AUTOINCREMENT"));
            }
            show("primary keys", m.getPrimaryKeys(null, "public", table));
            show("best row", m.getBestRowIdentifier(null, "public", table, DatabaseMetaData.bestRowSession, true));
            show("imported", m.getImportedKeys(null, "public", table));
        }
        show("type int4", c.createStatement().executeQuery("SELECT 1 AS one"));
        int types = 0;
        try (ResultSet rs = m.getTypeInfo()) {
            while (rs.next()) {
                types++;
            }
        }
        System.out.println("-- has types " + (types > 30));
    }

    public static void main(String[] args) throws SQLException {
        try (Connection c = open()) {
            queries(c, false);
            metadata(c);
        }
        System.out.println("== binary from the first run");
        try (Connection c = open("prepareThreshold", "-1", "binaryTransfer", "true")) {
            queries(c, false);
        }
        System.out.println("== simple protocol");
        try (Connection c = open("preferQueryMode", "simple")) {
            queries(c, true);
        }
    }
}
