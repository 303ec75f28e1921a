/**
 * Makes a report of last month's sales, in TypeScript with two packages from npm.
 *
 * Before:  cd tasks && npm install date-fns zod
 */
import { format, isSameMonth, subMonths } from 'date-fns';
import { z } from 'zod';

// The shape of what the shop answers; anything else fails the run with the path of what is wrong.
const Order = z.object({ id: z.number(), amount: z.number(), paidAt: z.string() });
const Orders = z.array(Order);
type Order = z.infer<typeof Order>;

interface Params {
  /** Answers JSON like [{ "id": 1, "amount": 9.5, "paidAt": "2026-10-03T10:00:00Z" }]. */
  url: string;
}

interface Report {
  month: string;
  orders: number;
  revenue: number;
}

export default async function salesReport(params: Params, ctx: { scheduledFor: number }): Promise<Report> {
  const response = await fetch(params.url);
  const orders: Order[] = Orders.parse(await response.json());

  const month: Date = subMonths(new Date(ctx.scheduledFor), 1);
  const paid = orders.filter((order) => isSameMonth(new Date(order.paidAt), month));
  const revenue = paid.reduce((sum, order) => sum + order.amount, 0);
  const report: Report = { month: format(month, 'yyyy-MM'), orders: paid.length, revenue };
  console.log(`${report.month}: ${report.orders} orders, ${report.revenue.toFixed(2)}`);
  return report;
}
