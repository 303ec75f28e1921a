'use strict';
module.exports = async (job) => require(job.data.file)(job.data.params);
